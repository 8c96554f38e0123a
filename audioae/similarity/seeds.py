"""What a query names: a track of the catalog, an audio file, or an embedding; and which recordings it is.

Conventions
-----------
- A seed is a track (track_id, uri or title), the path of any audio file, or an embedding of the store's model. A text
  may end in its weight: `Night Drive:2`.
- A file that is, byte for byte, a track of the catalog is that track. Another one is decoded and embedded by the same
  code, and compared as a recording with the nearest tracks, so that copies of it are known as such.
"""

# pyright: reportAttributeAccessIssue=false

import hashlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc  # its functions are made at import

from audioae.audio.extract import Extracted
from audioae.audio.fingerprint import MAX_SECONDS, MIN_COSINE, fingerprint_clips, is_same
from audioae.errors import SearchError
from audioae.library.generation import Generation
from audioae.pipeline.index_neighbors import read_fingerprints

WEIGHTED = re.compile(r"(?P<seed>.+):(?P<weight>\d+(\.\d+)?)", re.DOTALL)
LIKELY = 8  # neighbors of a file that are compared with it as recordings

Seed = str | np.ndarray


class Resolved(NamedTuple):
    """A seed's row, embedding (128,), weight, and the groups (`Surroundings.group`) of which it is a recording."""

    row: dict[str, Any]
    embedding: np.ndarray
    weight: float
    groups: set[int]


def resolve(library: Generation, seed: Seed) -> Resolved:
    """What a seed stands for. Raises `SearchError` if it is unknown, `AudioError` if a file cannot be used."""
    if isinstance(seed, np.ndarray):
        return _embedded(library, seed)
    weight = 1.0
    try:
        return _named(library, seed, weight)
    except SearchError as error:
        parts = WEIGHTED.fullmatch(seed)
        if parts is None:
            raise
        try:
            return _named(library, parts["seed"], float(parts["weight"]))
        except SearchError as inner:
            raise (inner if "fits" in str(inner) else error) from None


def _embedded(library: Generation, embedding: np.ndarray) -> Resolved:
    dim = library.index.dim
    length = float(np.linalg.norm(embedding))
    if embedding.shape != (dim,) or not 0 < length < np.inf:
        raise SearchError(
            f"embedding: got shape {embedding.shape}, length {length:g}; wanted ({dim},), finite, not zero"
        )
    return Resolved({"title": "an embedding"}, (embedding / length).astype(np.float32), 1.0, set())


def _named(library: Generation, query: str, weight: float) -> Resolved:
    """A track of the catalog first; then a file."""
    try:
        track = library.find(query)
    except SearchError:
        if not Path(query).is_file():
            raise
        return _from_file(library, Path(query), weight)
    return _from_track(library, track, weight)


def _from_track(library: Generation, track: dict[str, Any], weight: float) -> Resolved:
    row = pc.index(library.index.ids, track["duplicate_of"] or track["track_id"]).as_py()
    if row < 0:
        return Resolved(track, library.embedding_of(track), weight, set())
    kept = library.index.keeps_embeddings  # then no part has to be read
    embedding = library.index.embeddings(np.array([row]))[0] if kept else library.embedding_of(track)
    return Resolved(track, embedding, weight, {int(library.alignment.group[row])})


def _from_file(library: Generation, path: Path, weight: float) -> Resolved:
    """A track that it is a copy of, if there is one with an embedding; else what decoding it gives."""
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    for track in library.tracks.filter(pc.equal(library.tracks["content_hash"], digest)).slice(0, 1).to_pylist():
        if library.embedding_row(track):
            return _from_track(library, track, weight)
    extracted = library.extract_file(path)
    embedding = library.embed_codes(extracted.codes)
    groups = _recordings(library, embedding, extracted)
    return Resolved({"uri": str(path.absolute()), "title": path.stem}, embedding, weight, groups)


def _recordings(library: Generation, embedding: np.ndarray, extracted: Extracted) -> set[int]:
    """Groups of the catalog's tracks that are the same recording as a file from outside."""
    scores, rows = (found[0] for found in library.index.search(embedding[None], LIKELY))
    near = rows[(rows >= 0) & (scores >= MIN_COSINE)]
    ids = {library.index.ids[int(row)].as_py(): int(row) for row in near}
    own = fingerprint_clips(extracted.codes, extracted.starts_s)
    alike = {}
    for track_id, row in ids.items():
        seconds = (library.health_of(library.find(track_id)) or {}).get("duration_s")
        if seconds is not None and abs(seconds - extracted.health["duration_s"]) <= MAX_SECONDS:
            alike[track_id] = row
    others = read_fingerprints(library.store, library.embeddings_ref, alike)
    return {int(library.alignment.group[alike[t]]) for t, other in others.items() if is_same(own, other)}
