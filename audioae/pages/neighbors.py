"""Which tracks stand nearest, and which queries are shown.

Why queries are drawn by lot: examples picked for looking good, or near their label's center, would flatter the model.
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
    """A query's row, the rows nearest to it, closest first, and their scores (cosine)."""

    query: int
    rows: tuple[int, ...]
    scores: tuple[float, ...]


def choose_queries(labels: np.ndarray, n_queries: int = N_QUERIES) -> list[int]:
    """Rows of tracks to show, drawn with a fixed seed: one of each label, of labels spread over all that have two.

    Parameters
    ----------
    labels : np.ndarray, shape (n,), str
        "" where not known. With fewer labels than queries, every label gives several; without any, any track may come.

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
    """The `k` nearest tracks of each query, itself left out; fewer only if there are fewer.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), rows of length 1
    queries : sequence of int
        Rows of `vectors`.

    Raises
    ------
    EvaluationError
        If a query is no row.

    >>> nearest(np.eye(3, dtype=np.float32)[[0, 0, 1]], [0], k=1)
    [Neighbors(query=0, rows=(1,), scores=(1.0,))]
    """
    if wrong := [query for query in queries if not 0 <= query < len(vectors)]:
        raise EvaluationError(f"queries {wrong[:SHOWN]}: got {len(vectors)} tracks, wanted rows from 0 to n - 1")
    found = []
    for query in queries:
        scores = vectors @ vectors[query]
        scores[query] = -np.inf
        rows = np.argsort(-scores, kind="stable")[: min(k, len(vectors) - 1)]
        found.append(NeighborLists(int(query), tuple(rows.tolist()), tuple(scores[rows].tolist())))
    return found
