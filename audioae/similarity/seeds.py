"""What a seed names: a track of the catalog, an audio file, or an embedding; and which recordings it is.

Conventions
-----------
- A person's seed is a text: a track (track_id, uri or title) or the path of any audio file, which may end in its weight
  (`Night Drive:2`). A program's seed is typed (`TrackSeed`, `AliasSeed`, `EmbeddingSeed`, `FileSeed`) and means one
  thing only. An array is an embedding of the store's model.
- A file that is, byte for byte, a track of the catalog is that track. Any other file is decoded and embedded by the
  same code, and its fingerprint is compared with those of the nearest tracks, so that copies of it are recognized.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audioae.catalog.paths import displayed
from audioae.errors import SearchError, UnknownTrackError
from audioae.library.generation import Generation
from audioae.library.records import Track, outside_track

if TYPE_CHECKING:
    from audioae.pipeline.embed_outside import Embedded

WEIGHTED = re.compile(r"(?P<seed>.+):(?P<weight>\d+(\.\d+)?)", re.DOTALL)
LIKELY = 8  # nearest tracks whose fingerprints are compared with a file's


@dataclass(frozen=True)
class TrackSeed:
    """A track of the catalog, by its track_id."""

    track_id: str
    weight: float = 1.0


@dataclass(frozen=True)
class AliasSeed:
    """A track of the catalog, by the ID that another system has for it (`audioae aliases`)."""

    namespace: str
    external_id: str
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class EmbeddingSeed:
    """An embedding of the store's model, shape (128,), of any length above 0."""

    embedding: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True)
class FileSeed:
    """Any audio file. `name` is what errors and the answer call it instead of `path`, such as that of an upload."""

    path: str | Path
    weight: float = 1.0
    name: str | None = None


TypedSeed = TrackSeed | AliasSeed | EmbeddingSeed | FileSeed
Seed = str | np.ndarray | TypedSeed


class Resolved(NamedTuple):
    """A seed's track, embedding (128,), weight, and the groups (`RowAlignment.group`) of the recordings that it is."""

    track: Track
    embedding: np.ndarray
    weight: float
    groups: set[int]


def listed(seeds: Seed | Sequence[Seed]) -> list[Seed]:
    """One seed or several, as a list; the rows of a matrix are embeddings."""
    if isinstance(seeds, np.ndarray):
        return [seeds] if seeds.ndim == 1 else list(seeds)
    return list(seeds) if isinstance(seeds, Sequence) and not isinstance(seeds, str) else [seeds]


def resolve(library: Generation, seed: Seed) -> Resolved:
    """What a seed means.

    Raises
    ------
    UnknownTrackError
        If a typed seed names a track that the catalog does not have.
    SearchError
        If a text fits no track and no file, or several tracks; if the track has no embedding.
    AudioError
        If a file cannot be used.
    """
    if isinstance(seed, np.ndarray):
        return _from_embedding(library, seed, 1.0)
    if isinstance(seed, EmbeddingSeed):
        return _from_embedding(library, seed.embedding, seed.weight)
    if isinstance(seed, TrackSeed):
        return _from_track_id(library, seed.track_id, seed.weight)
    if isinstance(seed, AliasSeed):
        return _from_track_id(library, library.aliases.track_id(seed.namespace, seed.external_id), seed.weight)
    if isinstance(seed, FileSeed):
        return _from_file(library, seed)
    try:
        return _from_name(library, seed, 1.0)
    except SearchError as error:
        parts = WEIGHTED.fullmatch(seed)
        if parts is None:
            raise
        try:
            return _from_name(library, parts["seed"], float(parts["weight"]))
        except SearchError as inner:
            raise (inner if "matches" in str(inner) else error) from None


def _from_embedding(library: Generation, embedding: np.ndarray, weight: float) -> Resolved:
    dim = library.index.dim
    length = float(np.linalg.norm(embedding))
    if embedding.shape != (dim,) or not 0 < length < np.inf:
        raise SearchError(
            f"embedding: got shape {embedding.shape}, length {length:g}; wanted ({dim},), finite, not zero"
        )
    return Resolved(Track(title="an embedding"), (embedding / length).astype(np.float32), weight, set())


def _from_track_id(library: Generation, track_id: str, weight: float) -> Resolved:
    row = library.lookup.row_of(track_id)
    if row < 0:
        raise UnknownTrackError(f"no track_id {track_id!r} in {library.tracks_ref}; look it up by its title first")
    return _from_row(library, row, weight)


def _from_name(library: Generation, query: str, weight: float) -> Resolved:
    """A track of the catalog if the name fits one, else a file."""
    try:
        row = library.lookup.find_row(query)
    except SearchError:
        if not Path(query).is_file():
            raise
        return _from_file(library, FileSeed(query, weight))
    return _from_row(library, row, weight)


def _from_row(library: Generation, row: int, weight: float) -> Resolved:
    """A track by its catalog row."""
    track, index_row = library.lookup.track(row), int(library.alignment.index_row[row])
    if index_row < 0:
        return Resolved(track, library.embedding_of(track), weight, set())
    kept = library.index.keeps_embeddings  # then no part has to be read
    embedding = library.index.embeddings(np.array([index_row]))[0] if kept else library.embedding_of(track)
    return Resolved(track, embedding, weight, {int(library.alignment.group[index_row])})


def _from_file(library: Generation, seed: FileSeed) -> Resolved:
    """The embedded track with the same bytes, if there is one; else what decoding the file gives."""
    path = Path(seed.path)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    row = library.lookup.with_content(digest)
    if row >= 0 and library.embedding_row(library.lookup.track(row)):
        return _from_row(library, row, seed.weight)
    embedded = library.embed(path, name=seed.name)
    track = outside_track(path) if seed.name is None else Track(title=displayed(Path(seed.name).stem))
    return Resolved(track, embedded.embedding, seed.weight, _recordings(library, embedded))


def _recordings(library: Generation, embedded: "Embedded") -> set[int]:
    """Groups of the catalog's tracks that are the same recording as a file from outside."""
    from audioae.audio.fingerprint import MAX_SECONDS, MIN_COSINE, is_same
    from audioae.pipeline.index_neighbors import read_fingerprints

    scores, rows = (block[0] for block in library.index.search(embedded.embedding[None], LIKELY))
    near = rows[(rows >= 0) & (scores >= MIN_COSINE)]
    index_rows = {library.index.ids[int(row)].as_py(): int(row) for row in near}
    as_long = {}
    for track_id, row in index_rows.items():
        seconds = (library.health_of(library.find(track_id)) or {}).get("duration_s")
        if isinstance(seconds, float) and abs(seconds - embedded.duration_s) <= MAX_SECONDS:
            as_long[track_id] = row
    others = read_fingerprints(library.store, library.embeddings_ref, as_long)
    return {
        int(library.alignment.group[as_long[t]]) for t, other in others.items() if is_same(embedded.fingerprint, other)
    }
