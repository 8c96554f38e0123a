"""Answers to "what sounds like this": seeds become a query, filters confine the search, the nearest become an answer.

Conventions
-----------
- Left out by default: the seeds, their duplicates, and of any group of duplicates all but the nearest. Exact duplicates
  have the same bytes, near ones were found when the index was built; a file from outside is compared on the spot.
- A duplicate stands for its recording where it is the one that passes the filters.
- As many tracks as wanted come back, unless fewer match.
"""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError
from audioae.library.filters import Filters, matching
from audioae.library.generation import Generation
from audioae.similarity.rerank import choose, combine_seeds, correct_hubs
from audioae.similarity.seeds import LIKELY, Resolved, Seed, resolve

SHOWN = ("track_id", "title", "artist", "album", "label", "uri")
POOL = 10  # candidates per track wanted, where more than closeness decides


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


def similar(
    library: Generation, seeds: Seed | Sequence[Seed], k: int, *, minus: Seed | Sequence[Seed] = (), options: Options
) -> Answer:
    """The `k` tracks that sound most like `seeds` and least like `minus`; see `Generation.similar`."""
    if k < 1:
        raise SearchError(f"k={k}: wanted at least 1 neighbor")
    if not 0 <= options.diversity <= 1:
        raise SearchError(f"diversity={options.diversity:g}: wanted 0 (closeness only) to 1 (difference only)")
    if options.max_per_artist is not None and options.max_per_artist < 1:
        raise SearchError(f"max_per_artist={options.max_per_artist}: wanted at least 1")
    liked = [resolve(library, seed) for seed in _listed(seeds)]
    disliked = [resolve(library, seed) for seed in _listed(minus)]
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
    index_row = library.alignment.index_row[passing]
    among = index_row[np.diff(index_row, prepend=-1) > 0]  # they ascend
    neighbors = _neighbors(library, query, k, passing, among, [*liked, *disliked], options)
    return Answer([seed.row for seed in (*liked, *disliked)], neighbors, len(among))


def _listed(seeds: Seed | Sequence[Seed]) -> list[Seed]:
    return [seeds] if isinstance(seeds, str) or (isinstance(seeds, np.ndarray) and seeds.ndim == 1) else list(seeds)


def _passing(library: Generation, filters: Filters) -> np.ndarray:
    """Catalog rows that were embedded and pass, by index row, of exact duplicates the embedded one first."""
    by_index = library.alignment.by_index
    if not filters:
        return by_index
    mask = matching(library.tracks, filters)
    passing = by_index[mask[by_index]]
    if not len(passing):
        raise SearchError(f"{mask.sum()} tracks pass the filters, but none of them has an embedding (audioae coverage)")
    return passing


def _neighbors(
    library: Generation,
    query: np.ndarray,
    k: int,
    passing: np.ndarray,
    among: np.ndarray,
    seeds: list[Resolved],
    options: Options,
) -> list[dict[str, Any]]:
    """Looks deeper until enough are left; `passing` are catalog rows, `among` their index rows."""
    around, index = library.alignment, library.index
    index_row = around.index_row[passing]
    own = pa.array([seed.row.get("track_id") for seed in seeds], pa.string())
    excluded = np.array(sorted(set().union(*(seed.groups for seed in seeds))), np.int64)
    picky = options.diversity > 0 or options.hub_correction or options.max_per_artist is not None
    depth = (POOL if picky else 2) * k + len(seeds) + LIKELY
    confined = among if len(among) < len(index) else None
    while True:
        scores, rows = (found[0] for found in index.search(query[None], min(depth, len(among)), confined))
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
        if len(taken) == k or depth >= len(among):
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
