"""The nearest tracks of many queries at once: search, leave out, rerank; search deeper until there are enough.

Conventions
-----------
- A query is searched as deep as it would be alone, so it gets the same neighbors: queries of the same depth share one
  search.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

from audioae.errors import AudioaeError
from audioae.library.generation import Generation
from audioae.similarity.matching import Matching, all_members, first_members
from audioae.similarity.query import Query
from audioae.similarity.rerank import choose, correct_hubs, first_of_each
from audioae.similarity.seeds import attempt

POOL = 10  # candidates per track wanted, where more than closeness decides
SPARE = 4  # candidates more than wanted, for duplicates that are left out
DEEPER = 4  # times as many candidates, if too few were left


class Found(NamedTuple):
    """The neighbors of a query, closest first: catalog rows, and cosines; `n_matching` recordings pass its filters."""

    query: Query
    n_matching: int
    rows: list[int]
    cosines: list[float]


def nearest(library: Generation, queries: Sequence[Query], matches: Matching | None) -> list[Found | AudioaeError]:
    """The neighbors of each query among the tracks that match; all of them if fewer than `k` do."""
    n = len(library.index) if matches is None else matches.n
    among = None if matches is None else matches.among
    found: dict[int, Found | AudioaeError] = {}
    depths = {place: _depth(query) for place, query in enumerate(queries)}
    while depths:
        for depth in set(depths.values()):
            places = [place for place, wanted in depths.items() if wanted == depth]
            vectors = np.array([queries[place].vector for place in places])
            scores, rows = library.index.search(vectors, min(depth, n), among)
            asked = [queries[place] for place in places]
            for place, picked in zip(places, _picked(library, asked, matches, n, scores, rows), strict=True):
                if isinstance(picked, Found) and len(picked.rows) < queries[place].k and depth < n:
                    depths[place] = DEEPER * depth
                else:
                    found[place] = picked
                    del depths[place]
    return [found[place] for place in range(len(queries))]


def _picked(
    library: Generation,
    queries: Sequence[Query],
    matches: Matching | None,
    n: int,
    scores: np.ndarray,
    rows: np.ndarray,
) -> list[Found | AudioaeError]:
    """Which of the candidates of each query, index rows of falling score, make its answer."""
    if any(query.options.reranks or query.options.keep_duplicates for query in queries):
        return [attempt(_pick, library, *each) for each in zip(queries, repeat(matches), repeat(n), scores, rows)]
    groups = library.alignment.group[rows].tolist()
    members = first_members(library.alignment, matches, rows).tolist()
    found = []
    for query, group, member, score in zip(queries, groups, members, scores.tolist(), strict=True):
        taken = first_of_each(group, query.k, _excluded(query))
        found.append(Found(query, n, [member[place] for place in taken], [score[place] for place in taken]))
    return found


def _excluded(query: Query) -> set[int]:
    """The groups of the recordings that its seeds are."""
    return {group for seed in query.seeds for group in seed.groups}


def _depth(query: Query) -> int:
    """How many candidates to look at first."""
    return (POOL if query.options.reranks else 1) * query.k + len(query.seeds) + SPARE


def _pick(
    library: Generation, query: Query, matches: Matching | None, n: int, scores: np.ndarray, rows: np.ndarray
) -> Found:
    alignment, options, excluded = library.alignment, query.options, _excluded(query)
    if options.keep_duplicates:
        position, candidates = all_members(alignment, matches, rows)
        kept = ~np.isin(candidates, [seed.row for seed in query.seeds])
        position, candidates = position[kept], candidates[kept]
    else:
        position = np.array([i for i, group in enumerate(alignment.group[rows].tolist()) if group not in excluded], int)
        candidates = first_members(alignment, matches, rows[position])
    cosines, rows = scores[position], rows[position]
    taken = choose(
        correct_hubs(cosines, alignment.mean_knn_cosine[rows]) if options.hub_correction else cosines,
        query.k,
        groups=np.arange(len(rows)) if options.keep_duplicates else alignment.group[rows],
        artists=alignment.artist[candidates] if options.max_per_artist else None,
        max_per_artist=options.max_per_artist,
        embeddings=library.index.embeddings(rows) if options.diversity else None,
        diversity=options.diversity,
    )
    return Found(query, n, candidates[taken].tolist(), cosines[taken].tolist())
