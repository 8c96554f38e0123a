"""The nearest tracks of a track, and the choice of queries to show.

Why queries are sampled at random: examples that were picked because they look good, or because they are typical of
their label, would flatter the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

import numpy as np

from audioae.errors import EvaluationError
from audioae.spacing import evenly_spaced

SHOWN = 5
N_QUERIES = 8


@dataclass(frozen=True)
class NeighborLists:
    """A query's row, the rows of its nearest tracks, closest first, and their scores (cosine)."""

    query: int
    rows: tuple[int, ...]
    scores: tuple[float, ...]


def choose_queries(labels: np.ndarray, n_queries: int = N_QUERIES) -> list[int]:
    """Sample rows with a fixed seed: one per label, from labels evenly spaced among those of two tracks or more.

    Parameters
    ----------
    labels : np.ndarray, shape (n,), str
        "" where unknown. With fewer labels than queries, each label gives several; without labels, any track may be
        chosen.

    >>> labels = np.array(["a", "a", "b", "b", "c"])
    >>> sorted(labels[choose_queries(labels, n_queries=2)].tolist())
    ['a', 'b']
    """
    labels = np.asarray(labels).astype(str)
    names, counts = np.unique(labels, return_counts=True)
    shared = names[(counts >= 2) & (names != "")]
    names = shared if len(shared) else names
    spread = names[evenly_spaced(len(names), n_queries)]
    order = np.random.default_rng(0).permutation(len(labels))
    pools = [order[labels[order] == name].tolist() for name in spread]
    return list(islice((row for rows in zip_longest(*pools) for row in rows if row is not None), n_queries))


def nearest(vectors: np.ndarray, queries: Sequence[int], k: int = SHOWN) -> list[NeighborLists]:
    """The `k` nearest tracks of each query, without the query; fewer only if there are fewer.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), rows of length 1
    queries : sequence of int
        Rows of `vectors`.

    Raises
    ------
    EvaluationError
        If a query is not a row of `vectors`.

    >>> nearest(np.eye(3, dtype=np.float32)[[0, 0, 1]], [0], k=1)
    [NeighborLists(query=0, rows=(1,), scores=(1.0,))]
    """
    if wrong := [query for query in queries if not 0 <= query < len(vectors)]:
        raise EvaluationError(f"queries {wrong[:SHOWN]}: got {len(vectors)} tracks, wanted rows from 0 to n - 1")
    lists = []
    for query in queries:
        scores = vectors @ vectors[query]
        scores[query] = -np.inf
        rows = np.argsort(-scores, kind="stable")[: min(k, len(vectors) - 1)]
        lists.append(NeighborLists(int(query), tuple(rows.tolist()), tuple(scores[rows].tolist())))
    return lists
