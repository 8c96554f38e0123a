"""Answers to "what sounds like this": seeds become a query, filters confine the search, the nearest become an answer.

Conventions
-----------
- A seed is a track (track_id, uri or title), the path of any audio file, or an embedding of the store's model. A text
  may end in its weight: `Night Drive:2`. A file that is, byte for byte, a track of the catalog is that track.
- Left out by default: the seeds, their duplicates, and of any group of duplicates all but the nearest. Exact duplicates
  have the same bytes, near ones were found when the index was built; a file from outside is compared on the spot.
- A duplicate stands for its recording where it is the one that passes the filters.
- As many tracks as wanted come back, unless fewer match.
"""

# pyright: reportAttributeAccessIssue=false

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.apps.duplicate import MAX_SECONDS, MIN_COSINE, fingerprint_clips, is_same
from audioae.apps.filters import Filters, matching
from audioae.apps.similar import choose, combine_seeds, correct_hubs
from audioae.audio.extract import Extracted
from audioae.errors import SearchError, StoreError
from audioae.stages.neighborhood import read_fingerprints, read_neighborhood

if TYPE_CHECKING:
    from audioae.stages.library import Library

SHOWN = ("track_id", "title", "artist", "album", "label", "uri")
WEIGHTED = re.compile(r"(?P<seed>.+):(?P<weight>\d+(\.\d+)?)", re.DOTALL)
POOL = 10  # candidates per track wanted, where more than closeness decides
LIKELY = 8  # neighbors of a file that are compared with it as recordings

Seed = str | np.ndarray


@dataclass(frozen=True)
class Options:
    """How an answer is made from the neighbors.

    Parameters
    ----------
    filters : Filters
    diversity : float in [0, 1]
        0: only closeness counts; .5: closeness and difference from those already in the answer count alike.
    max_per_artist : int or None
    hub_correction : bool
        Rank what is near to everything lower.
    keep_duplicates : bool
        Leave out nothing but the seeds themselves.
    """

    filters: Filters = field(default_factory=Filters)
    diversity: float = 0.0
    max_per_artist: int | None = None
    hub_correction: bool = False
    keep_duplicates: bool = False


class Answer(NamedTuple):
    """Rows of the seeds (liked, then disliked), the neighbors closest first, and how many tracks pass the filters."""

    seeds: list[dict[str, Any]]
    neighbors: list[dict[str, Any]]
    n_matching: int


class _Resolved(NamedTuple):
    row: dict[str, Any]
    embedding: np.ndarray
    weight: float
    groups: set[int]  # what it is a recording of


class Surroundings:
    """Rows of the catalog beside rows of the index, lined up once per library.

    A catalog row is a position in `library.tracks`, an index row one in `library.index.ids`. Exact duplicates have
    catalog rows of their own and share the index row of the one that was embedded.
    """

    def __init__(self, library: "Library"):
        self._library = library
        tracks = library.tracks
        keeper = pc.coalesce(tracks["duplicate_of"], tracks["track_id"])
        index_row = pc.fill_null(pc.index_in(keeper, value_set=library.index.ids), -1).to_numpy()
        first = pc.is_null(tracks["duplicate_of"]).to_numpy()
        self.index_row = index_row.astype(np.int64)
        if missing := len(library.index) - len(np.unique(index_row[first & (index_row >= 0)])):
            raise StoreError(f"{library.index_ref} holds {missing} tracks that {library.tracks_ref} has not got")
        self.by_index = np.lexsort((~first, index_row))[(index_row < 0).sum() :]  # catalog rows that were embedded
        self.artist = pc.fill_null(tracks["artist"].combine_chunks().dictionary_encode().indices, -1).to_numpy()

    @cached_property
    def _neighborhood(self) -> pa.Table | None:
        found = read_neighborhood(self._library.store, self._library.index_ref)
        return found and found.take(pc.index_in(self._library.index.ids, value_set=found["track_id"]))

    @cached_property
    def radius(self) -> np.ndarray:
        """Of each index row. Raises `SearchError` if the index is from before radii were measured."""
        if self._neighborhood is None:
            ref = self._library.index_ref
            raise SearchError(f"{ref} holds no radii, which hub correction needs; build the index again")
        return self._neighborhood["radius"].to_numpy()

    @cached_property
    def group(self) -> np.ndarray:
        """A number for each index row that near duplicates share."""
        own = pa.array(np.arange(len(self._library.index), dtype=np.int32))
        if self._neighborhood is None:
            return own.to_numpy()
        first = pc.index_in(self._neighborhood["duplicate_group"], value_set=self._library.index.ids)
        return pc.coalesce(first, own).to_numpy()


def similar(
    library: "Library", seeds: Seed | Sequence[Seed], k: int, *, minus: Seed | Sequence[Seed] = (), options: Options
) -> Answer:
    """The `k` tracks that sound most like `seeds` and least like `minus`; see `Library.similar`."""
    if k < 1:
        raise SearchError(f"k={k}: wanted at least 1 neighbor")
    if not 0 <= options.diversity <= 1:
        raise SearchError(f"diversity={options.diversity:g}: wanted 0 (closeness only) to 1 (difference only)")
    if options.max_per_artist is not None and options.max_per_artist < 1:
        raise SearchError(f"max_per_artist={options.max_per_artist}: wanted at least 1")
    liked = [_resolve(library, seed) for seed in _listed(seeds)]
    disliked = [_resolve(library, seed) for seed in _listed(minus)]
    if not liked:
        raise SearchError("no seed: wanted at least one track, file or embedding to be like")
    if both := {seed.row.get("track_id") for seed in liked} & {seed.row.get("track_id") for seed in disliked} - {None}:
        raise SearchError(f"{', '.join(sorted(map(str, both)))}: both liked and disliked; name it once")
    query = combine_seeds(
        np.stack([seed.embedding for seed in liked]),
        [seed.weight for seed in liked],
        np.stack([seed.embedding for seed in disliked]) if disliked else None,
        [seed.weight for seed in disliked],
    )
    passing = _passing(library, options.filters)
    neighbors = _neighbors(library, query, k, passing, [*liked, *disliked], options)
    n_matching = len(np.unique(library.surroundings.index_row[passing]))
    return Answer([seed.row for seed in (*liked, *disliked)], neighbors, n_matching)


def _listed(seeds: Seed | Sequence[Seed]) -> list[Seed]:
    return [seeds] if isinstance(seeds, str) or (isinstance(seeds, np.ndarray) and seeds.ndim == 1) else list(seeds)


def _passing(library: "Library", filters: Filters) -> np.ndarray:
    """Catalog rows that were embedded and pass, by index row, of exact duplicates the embedded one first."""
    by_index = library.surroundings.by_index
    if not filters:
        return by_index
    mask = matching(library.tracks, filters)
    passing = by_index[mask[by_index]]
    if not len(passing):
        raise SearchError(f"{mask.sum()} tracks pass the filters, but none of them has an embedding (audioae coverage)")
    return passing


def _neighbors(
    library: "Library", query: np.ndarray, k: int, passing: np.ndarray, seeds: list[_Resolved], options: Options
) -> list[dict[str, Any]]:
    around, index = library.surroundings, library.index
    index_row = around.index_row[passing]
    among = np.unique(index_row) if options.filters else None
    n_rows = len(index) if among is None else len(among)
    own = pa.array([seed.row.get("track_id") for seed in seeds], pa.string())
    excluded = np.array(sorted(set().union(*(seed.groups for seed in seeds))), np.int64)
    picky = options.diversity > 0 or options.hub_correction or options.max_per_artist is not None
    depth = (POOL if picky else 2) * k + len(seeds) + LIKELY
    while True:
        scores, rows = (found[0] for found in index.search(query[None], min(depth, n_rows), among))
        if options.keep_duplicates:
            hit, candidates = _all_members(index_row, passing, rows)
            left = ~pc.is_in(library.tracks["track_id"].take(pa.array(candidates)), value_set=own).to_numpy()
        else:
            hit, candidates = np.arange(len(rows)), passing[np.searchsorted(index_row, rows)]
            left = ~np.isin(around.group[rows], excluded)
        hit, candidates = hit[left], candidates[left]
        cosines, rows = scores[hit], rows[hit]
        taken = choose(
            correct_hubs(cosines, around.radius[rows]) if options.hub_correction else cosines,
            k,
            groups=np.arange(len(rows)) if options.keep_duplicates else around.group[rows],
            artists=around.artist[candidates],
            max_per_artist=options.max_per_artist,
            embeddings=index.embeddings(rows) if options.diversity else None,
            diversity=options.diversity,
        )
        if len(taken) == k or depth >= n_rows:
            break
        depth *= 4
    found = library.tracks.select(SHOWN).take(pa.array(candidates[taken])).to_pylist()
    return [
        {"rank": i + 1, "score": float(score), **row}
        for i, (score, row) in enumerate(zip(cosines[taken], found, strict=True))
    ]


def _all_members(index_row: np.ndarray, passing: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each hit, every passing catalog row of its index row: positions in `rows`, and catalog rows."""
    first, last = np.searchsorted(index_row, rows), np.searchsorted(index_row, rows, side="right")
    hit = np.repeat(np.arange(len(rows)), last - first)
    return hit, passing[np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]).astype(np.int64)]


def _resolve(library: "Library", seed: Seed) -> _Resolved:
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


def _embedded(library: "Library", embedding: np.ndarray) -> _Resolved:
    dim = library.index.dim
    length = float(np.linalg.norm(embedding))
    if embedding.shape != (dim,) or not 0 < length < np.inf:
        raise SearchError(
            f"embedding: got shape {embedding.shape}, length {length:g}; wanted ({dim},), finite, not zero"
        )
    return _Resolved({"title": "an embedding"}, (embedding / length).astype(np.float32), 1.0, set())


def _named(library: "Library", query: str, weight: float) -> _Resolved:
    """A track of the catalog first; then a file."""
    try:
        track = library.find(query)
    except SearchError:
        if not Path(query).is_file():
            raise
        return _from_file(library, Path(query), weight)
    return _from_track(library, track, weight)


def _from_track(library: "Library", track: dict[str, Any], weight: float) -> _Resolved:
    embedding = library.embedding_of(track)
    keeper = track["duplicate_of"] or track["track_id"]
    row = pc.index(library.index.ids, keeper).as_py()
    return _Resolved(track, embedding, weight, {int(library.surroundings.group[row])} if row >= 0 else set())


def _from_file(library: "Library", path: Path, weight: float) -> _Resolved:
    """A track that it is a copy of, if there is one with an embedding; else what decoding it gives."""
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    for track in library.tracks.filter(pc.equal(library.tracks["content_hash"], digest)).slice(0, 1).to_pylist():
        if library.embedding_row(track):
            return _from_track(library, track, weight)
    extracted = library.extract_file(path)
    embedding = library.embed_codes(extracted.codes)
    groups = _recordings(library, embedding, extracted)
    return _Resolved({"uri": str(path.absolute()), "title": path.stem}, embedding, weight, groups)


def _recordings(library: "Library", embedding: np.ndarray, extracted: Extracted) -> set[int]:
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
    return {int(library.surroundings.group[alike[t]]) for t, other in others.items() if is_same(own, other)}
