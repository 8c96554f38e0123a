"""Exact neighbors, and how many of them a search has found.

Conventions
-----------
- Embeddings and queries: float32, L2-normalized, one per row; a score is their cosine, higher = closer.
- Neighbors are ordered by score, ties by row; where there are fewer than k, the rest is row -1, score -inf.

Why: the matrix product is done by BLAS at the machine's limit, so choosing the k best must cost next to nothing beside
it. Rows are taken in groups of 64, and each product is reduced to one maximum per group and query. The k best rows lie
in the k groups with the greatest maxima, as each of those shows one row that is at least as good as any elsewhere; so
do the k best groups in the k best groups of groups. Only k * 64 rows per query are looked at one by one.
`tests/bench/bench_search.py` compares this with the bare product.
"""

import numpy as np

GROUP = 64
QUERY_BLOCK = 1024
PRODUCT_SIZE = 1 << 20  # floats of one product: about what stays in cache until its maxima are taken
MAXIMA_SIZE = 1 << 25  # floats of all maxima of a block of queries
TIE = 1e-6  # scores closer than this are equal: what float32 products of unit vectors leave open


def exact_neighbors(embeddings: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the `k` nearest rows of each query by comparing it with every row.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, dim), float32, L2-normalized
    queries : np.ndarray, shape (n_queries, dim), float32, L2-normalized
    k : int
        How many; more than n gives rows of -1.

    Returns
    -------
    scores : np.ndarray, shape (n_queries, k), float32
    rows : np.ndarray, shape (n_queries, k), int64

    >>> exact_neighbors(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[:1], 2)[1]
    array([[0, 1]])
    """
    scores = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    step = min(QUERY_BLOCK, max(MAXIMA_SIZE * GROUP // max(len(embeddings), 1), 1))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        for i, candidates in enumerate(_candidates(embeddings, block, k), start):
            candidate_scores = embeddings.take(candidates, axis=0) @ queries[i]
            best = _best(candidate_scores, k)
            scores[i, : len(best)], rows[i, : len(best)] = candidate_scores[best], candidates[best]
    return scores, rows


def merge_neighbors(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of two results, each (scores, rows) of the same queries and shape; of equal ones those of `one`."""
    scores, rows = np.hstack([one[0], other[0]]), np.hstack([one[1], other[1]])
    best = np.argsort(-scores, axis=1, kind="stable")[:, : one[0].shape[1]]
    return np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)


def recall_at_k(found: np.ndarray, truth: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """The share of the k nearest that a search has found, and its standard error over queries.

    Tie-aware: of several rows as close as the k-th nearest any will do. For that the truth may be deeper than k; a
    query whose ties go on to the end of a deeper truth says nothing and is left out.

    Parameters
    ----------
    found : np.ndarray, shape (n_queries, k), int64
        Rows found, in any order; -1 where nothing was.
    truth : (np.ndarray, np.ndarray), each of shape (n_queries, depth), depth >= k
        Scores and rows of `exact_neighbors`.

    Returns
    -------
    recall, standard_error : float

    >>> recall_at_k(np.array([[0, 7]]), (np.array([[0.9, 0.8]]), np.array([[0, 3]])))
    (0.5, 0.0)
    """
    scores, rows = truth
    k, depth = found.shape[1], rows.shape[1]
    present = (rows[:, :k] >= 0).sum(axis=1)
    kth = np.where(rows[:, :k] >= 0, scores[:, :k], np.inf).min(axis=1, initial=np.inf, keepdims=True)
    counts = (rows >= 0) & (scores >= kth - TIE)
    known = (present > 0) & ((depth == k) | ~counts[:, -1])
    if not known.any():
        return 1.0, 0.0
    hits = ((found[:, :, None] == np.where(counts, rows, -2)[:, None, :]).any(axis=2)).sum(axis=1)
    shares = (np.minimum(hits, present) / np.maximum(present, 1))[known]
    return float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else 0.0


def _candidates(embeddings: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Rows, ascending, among which the `k` nearest of each query are; shape (n_queries, n_candidates)."""
    n_groups = len(embeddings) // GROUP
    if n_groups <= k:
        return np.tile(np.arange(len(embeddings)), (len(queries), 1))
    maxima = _group_maxima(embeddings, queries)
    blocks = _greatest(maxima.reshape(-1, GROUP, len(queries)).max(axis=1).T, k)
    groups = _members(blocks)
    groups = np.take_along_axis(groups, _greatest(np.take_along_axis(maxima.T, groups, 1), k), 1)
    ungrouped = np.arange(n_groups * GROUP, len(embeddings))
    return np.hstack([_members(groups), np.tile(ungrouped, (len(queries), 1))])


def _group_maxima(embeddings: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The best score in each whole group of rows, then -inf up to whole groups of groups; shape (.., n_queries)."""
    n_groups = len(embeddings) // GROUP
    maxima = np.empty((-(-n_groups // GROUP) * GROUP, len(queries)), np.float32)
    maxima[n_groups:] = -np.inf
    step = max(PRODUCT_SIZE // len(queries) // GROUP, 1)
    product = np.empty((step * GROUP, len(queries)), np.float32)
    columns = np.ascontiguousarray(queries.T)
    for first in range(0, n_groups, step):
        last = min(first + step, n_groups)
        part = np.matmul(embeddings[first * GROUP : last * GROUP], columns, out=product[: (last - first) * GROUP])
        np.max(part.reshape(-1, GROUP, len(queries)), axis=1, out=maxima[first:last])
    return maxima


def _members(groups: np.ndarray) -> np.ndarray:
    """What groups consist of, (n_queries, n) -> (n_queries, n * GROUP)."""
    return (groups[:, :, None] * GROUP + np.arange(GROUP)).reshape(len(groups), -1)


def _greatest(values: np.ndarray, k: int) -> np.ndarray:
    """Columns of the `k` greatest of each row, of equal ones the first; ascending."""
    return np.sort(np.argsort(-values, axis=1, kind="stable")[:, :k], axis=1)


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Positions of the `k` greatest of `scores`, greatest first, of equal ones the first."""
    if len(scores) <= k:
        return np.argsort(-scores, kind="stable")
    among = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    return among[np.argsort(-scores[among], kind="stable")][:k]
