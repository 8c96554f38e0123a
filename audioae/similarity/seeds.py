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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, overload

import numpy as np

from audioae.catalog.paths import displayed
from audioae.errors import AudioaeError, SearchError, UnknownTrackError
from audioae.library.generation import Generation
from audioae.library.records import Track, outside_track
from audioae.pipeline.config import OutsideLimits

if TYPE_CHECKING:
    from audioae.pipeline.embed_outside import Embedded

T = TypeVar("T")
WEIGHTED = re.compile(r"(?P<seed>.+):(?P<weight>\d+(\.\d+)?)", re.DOTALL)
AN_EMBEDDING = Track(title="an embedding")
FEW = 8  # seeds that are resolved one by one; for more, one call of NumPy is faster
LIKELY = 8  # nearest tracks whose fingerprints are compared with a file's


@dataclass(frozen=True)
class TrackSeed:
    """A track of the catalog, by its track_id."""

    track_id: str
    weight: float = 1.0

    def __str__(self) -> str:
        return self.track_id


@dataclass(frozen=True)
class AliasSeed:
    """A track of the catalog, by the ID that another system has for it (`audioae aliases`)."""

    namespace: str
    external_id: str
    weight: float = 1.0

    def __str__(self) -> str:
        return f"{self.namespace}:{self.external_id}"


@dataclass(frozen=True, eq=False)
class EmbeddingSeed:
    """An embedding of the store's model, shape (128,), of any length above 0."""

    embedding: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True)
class FileSeed:
    """Any audio file; `limits` is what it may cost.

    `name` is what errors and the answer call it instead of `path`, such as that of an upload.
    """

    path: str | Path
    weight: float = 1.0
    name: str | None = None
    limits: OutsideLimits | None = None


TypedSeed = TrackSeed | AliasSeed | EmbeddingSeed | FileSeed
Seed = str | np.ndarray | TypedSeed


class Resolved(NamedTuple):
    """What a seed means.

    Attributes
    ----------
    origin : Callable or Track
        The track, or what reads it: a track has twenty columns, and few who ask look at them.
    row : int
        Catalog row of the track; -1 if it is from outside.
    embedding : np.ndarray, shape (128,)
    weight : float
    groups : set of int
        The groups (`RowAlignment.group`) of the recordings that it is.
    """

    origin: Callable[[int], Track] | Track
    row: int
    embedding: np.ndarray
    weight: float
    groups: set[int]

    @property
    def track(self) -> Track:
        return self.origin if isinstance(self.origin, Track) else self.origin(self.row)


class SeedTracks(Sequence[Track]):
    """The tracks of seeds, each read when it is asked for."""

    def __init__(self, seeds: Sequence[Resolved]):
        self._seeds = seeds

    @overload
    def __getitem__(self, place: int) -> Track: ...
    @overload
    def __getitem__(self, place: slice) -> "SeedTracks": ...
    def __getitem__(self, place: int | slice) -> "Track | SeedTracks":
        return SeedTracks(self._seeds[place]) if isinstance(place, slice) else self._seeds[place].track

    def __len__(self) -> int:
        return len(self._seeds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]


def listed(seeds: Seed | Sequence[Seed]) -> list[Seed]:
    """One seed or several, as a list; the rows of a matrix are embeddings."""
    if isinstance(seeds, list):
        return seeds
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


def attempt(function: Callable[..., T], *arguments: object) -> T | AudioaeError:
    """What `function` returns, or the error that it raises: one of many must not stop the others."""
    try:
        return function(*arguments)
    except AudioaeError as error:
        return error


def resolve_all(library: Generation, seeds: Sequence[Seed]) -> list[Resolved | AudioaeError]:
    """What many seeds mean, in their order; in place of one that means nothing, the error that `resolve` raises."""
    resolved: list[Resolved | AudioaeError | None] = [None] * len(seeds)
    if len(seeds) > FEW and library.index.keeps_embeddings:
        _fill_in_track_ids(library, seeds, resolved)
    for place, seed in enumerate(seeds):
        if resolved[place] is None:
            resolved[place] = attempt(resolve, library, seed)
    return resolved  # pyright: ignore[reportReturnType]


def _fill_in_track_ids(library: Generation, seeds: Sequence[Seed], resolved: list[Resolved | AudioaeError | None]):
    """Resolve those seeds that are track_ids of indexed tracks."""
    by_id = [(place, seed) for place, seed in enumerate(seeds) if isinstance(seed, TrackSeed)]
    rows = library.lookup.rows_of([seed.track_id for _, seed in by_id])
    index_rows = np.where(rows < 0, -1, library.alignment.index_row[rows])
    known = np.flatnonzero(index_rows >= 0)
    index_rows, embeddings = index_rows[known], library.index.embeddings(index_rows[known])
    groups, rows, read = library.alignment.group[index_rows].tolist(), rows[known].tolist(), library.lookup.track
    for i, (row, embedding, group) in enumerate(zip(rows, embeddings, groups, strict=True)):
        place, seed = by_id[known[i]]
        resolved[place] = Resolved(read, row, embedding, seed.weight, {group})


def _from_embedding(library: Generation, embedding: np.ndarray, weight: float) -> Resolved:
    dim = library.index.dim
    embedding = np.asarray(embedding, np.float64)  # in float32 the squares of 1e30 and 1e-30 are infinite and 0
    length = float(np.linalg.norm(embedding))
    if embedding.shape != (dim,) or not 0 < length < np.inf:
        raise SearchError(
            f"embedding: got shape {embedding.shape}, length {length:g}; wanted ({dim},), finite, not zero"
        )
    return Resolved(AN_EMBEDDING, -1, (embedding / length).astype(np.float32), weight, set())


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
    read, index_row = library.lookup.track, int(library.alignment.index_row[row])
    if index_row < 0:
        return Resolved(read, row, library.embedding_of(read(row)), weight, set())
    kept = library.index.keeps_embeddings  # then no part has to be read
    embedding = library.index.embeddings(np.array([index_row]))[0] if kept else library.embedding_of(read(row))
    return Resolved(read, row, embedding, weight, {int(library.alignment.group[index_row])})


def _from_file(library: Generation, seed: FileSeed) -> Resolved:
    """The embedded track with the same bytes, if there is one; else what decoding the file gives."""
    path = Path(seed.path)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    row = library.lookup.with_content(digest)
    if row >= 0 and library.embedding_row(library.lookup.track(row)):
        return _from_row(library, row, seed.weight)
    embedded = library.embed(path, name=seed.name, limits=seed.limits)
    track = outside_track(path) if seed.name is None else Track(title=displayed(Path(seed.name).stem))
    return Resolved(track, -1, embedded.embedding, seed.weight, _recordings(library, embedded))


def _recordings(library: Generation, embedded: "Embedded") -> set[int]:
    """Groups of the catalog's tracks that are the same recording as a file from outside."""
    from audioae.audio.fingerprint import MAX_SECONDS, MIN_COSINE, is_same
    from audioae.pipeline.fingerprints import read_fingerprints

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
