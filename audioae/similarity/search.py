"""Answers to "what sounds like this": seeds become a query, filters limit the search, the nearest become an answer.

Conventions
-----------
- Left out by default: the seeds, their duplicates, and of any group of duplicates all but the nearest. Exact duplicates
  have the same bytes; near duplicates were found when the index was built; a file from outside is compared at once.
- If only a duplicate of a recording passes the filters, the duplicate is shown.
- As many tracks as wanted come back, unless fewer match.
- Without filters a query touches no array of the catalog's length: its cost beside the search does not grow with the
  catalog (`python -m tests.bench query`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from audioae.errors import NoMatchError, SearchError
from audioae.library.filters import Filters, matching
from audioae.library.generation import Generation
from audioae.similarity.answer import Answer, Neighbor
from audioae.similarity.rerank import choose, combine_seeds, correct_hubs
from audioae.similarity.seeds import LIKELY, Resolved, Seed, listed, resolve

SHOWN = ("track_id", "title", "artist", "album", "label", "uri")
POOL = 10  # candidates per track wanted, where more than closeness decides


@dataclass(frozen=True)
class Options:
    """How an answer is made from the neighbors.

    Parameters
    ----------
    filters : Filters
    diversity : float in [0, 1]
        0: only closeness counts; .5: closeness and difference from the tracks already chosen count equally.
    max_per_artist : int or None
    hub_correction : bool
        Penalize hubs: tracks that are close to everything.
    keep_duplicates : bool
        Leave out nothing but the seeds themselves.
    """

    filters: Filters = field(default_factory=Filters)
    diversity: float = 0.0
    max_per_artist: int | None = None
    hub_correction: bool = False
    keep_duplicates: bool = False


class _Matching(NamedTuple):
    """Catalog rows that pass the filters, ordered by their `index_row` (int64), and the distinct index rows among them.

    All three are None without filters: then every row of the index matches.
    """

    catalog: np.ndarray | None = None
    index_row: np.ndarray | None = None
    distinct: np.ndarray | None = None


def similar(
    library: Generation, seeds: Seed | Sequence[Seed], k: int, *, minus: Seed | Sequence[Seed] = (), options: Options
) -> Answer:
    """The `k` tracks that sound most like `seeds` and least like `minus`; see `Library.similar`."""
    _check(k, options)
    liked = [resolve(library, seed) for seed in listed(seeds)]
    disliked = [resolve(library, seed) for seed in listed(minus)]
    if not liked:
        raise SearchError("no seed: wanted at least one track, file or embedding to be like")
    if both := {seed.track.track_id for seed in liked} & {seed.track.track_id for seed in disliked} - {None}:
        raise SearchError(f"{', '.join(sorted(map(str, both)))}: both liked and disliked; name it once")
    query = combine_seeds(
        np.stack([seed.embedding for seed in liked]),
        [seed.weight for seed in liked],
        np.stack([seed.embedding for seed in disliked]) if disliked else None,
        [seed.weight for seed in disliked],
    )
    matches = _matching(library, options.filters)
    n_matching = len(library.index) if matches.distinct is None else len(matches.distinct)
    neighbors = _neighbors(library, query, k, matches, n_matching, [*liked, *disliked], options)
    short = None if len(neighbors) == k else _why_short(len(neighbors), k, n_matching, options)
    return Answer([seed.track for seed in (*liked, *disliked)], neighbors, n_matching, short)


def _check(k: int, options: Options) -> None:
    if k < 1:
        raise SearchError(f"k={k}: wanted at least 1 neighbor")
    if not 0 <= options.diversity <= 1:
        raise SearchError(f"diversity={options.diversity:g}: wanted 0 (closeness only) to 1 (difference only)")
    if options.max_per_artist is not None and options.max_per_artist < 1:
        raise SearchError(f"max_per_artist={options.max_per_artist}: wanted at least 1")


def _why_short(n: int, k: int, n_matching: int, options: Options) -> str:
    left_out = ["the seeds"]
    if not options.keep_duplicates:
        left_out.append("duplicates")
    if options.max_per_artist is not None:
        left_out.append(f"tracks beyond {options.max_per_artist} per artist")
    passing = f"{n_matching} recordings pass the filters" if options.filters else f"{n_matching} recordings are indexed"
    return f"{n} instead of {k}: {passing}; {_and(left_out)} are left out"


def _and(words: list[str]) -> str:
    """
    >>> _and(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _matching(library: Generation, filters: Filters) -> _Matching:
    if not filters:
        return _Matching()
    mask, by_index = matching(library.tracks, filters), library.alignment.by_index
    passing = by_index[mask[by_index]]
    if not len(passing):
        raise NoMatchError(f"{mask.sum()} tracks pass the filters, but none has an embedding (audioae coverage)")
    index_row = library.alignment.index_row[passing]
    return _Matching(passing, index_row, index_row[np.diff(index_row, prepend=-1) > 0])  # they ascend


def _neighbors(
    library: Generation,
    query: np.ndarray,
    k: int,
    matches: _Matching,
    n_matching: int,
    seeds: list[Resolved],
    options: Options,
) -> list[Neighbor]:
    """Search, leave out seeds and duplicates, rerank; search deeper until `k` are left."""
    alignment, index = library.alignment, library.index
    excluded = set().union(*(seed.groups for seed in seeds))
    rerank = options.diversity > 0 or options.hub_correction or options.max_per_artist is not None
    depth = (POOL if rerank else 1) * k + len(seeds) + LIKELY
    among = matches.distinct if n_matching < len(index) else None
    while True:
        scores, rows = (block[0] for block in index.search(query[None], min(depth, n_matching), among))
        if options.keep_duplicates:
            position, candidates = _all_members(library, matches, rows)
            known = [seed.track.track_id for seed in seeds if seed.track.track_id]
            kept = ~np.isin(candidates, library.lookup.rows_of(known))
        else:
            position, candidates = np.arange(len(rows)), _first_members(library, matches, rows)
            kept = np.array([group not in excluded for group in alignment.group[rows].tolist()])
        position, candidates = position[kept], candidates[kept]
        cosines, rows = scores[position], rows[position]
        taken = choose(
            correct_hubs(cosines, alignment.mean_knn_cosine[rows]) if options.hub_correction else cosines,
            k,
            groups=np.arange(len(rows)) if options.keep_duplicates else alignment.group[rows],
            artists=alignment.artist[candidates] if options.max_per_artist else None,
            max_per_artist=options.max_per_artist,
            embeddings=index.embeddings(rows) if options.diversity else None,
            diversity=options.diversity,
        )
        if len(taken) == k or depth >= n_matching:
            break
        depth *= 4
    return _records(library, candidates[taken].tolist(), cosines[taken].tolist())


def _records(library: Generation, rows: list[int], cosines: list[float]) -> list[Neighbor]:
    columns = [library.lookup.cells.texts[name] for name in SHOWN]
    return [
        Neighbor(rank, cosine, *[column[row] for column in columns])  # pyright: ignore[reportArgumentType]
        for rank, (row, cosine) in enumerate(zip(rows, cosines, strict=True), 1)
    ]


def _first_members(library: Generation, matches: _Matching, rows: np.ndarray) -> np.ndarray:
    """For each index row found, the catalog row that is shown: the first that passes."""
    if matches.catalog is None or matches.index_row is None:
        return library.alignment.catalog_row[rows]
    return matches.catalog[np.searchsorted(matches.index_row, rows)]


def _all_members(library: Generation, matches: _Matching, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every passing catalog row of each index row found: positions in `rows`, and catalog rows."""
    catalog, index_row = matches.catalog, matches.index_row
    if catalog is None or index_row is None:
        catalog, index_row = library.alignment.by_index, library.alignment.sorted_index_row
    first, last = np.searchsorted(index_row, rows), np.searchsorted(index_row, rows, side="right")
    position = np.repeat(np.arange(len(rows)), last - first)
    return position, catalog[np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]).astype(int)]
