"""Exact neighbors, and the share of them that a search finds.

Conventions
-----------
- Embeddings and queries: float32, L2-normalized, one per row; a score is their cosine, higher = closer.
- Neighbors are ordered by score, ties by row. Where there are fewer than k, the remaining rows are -1 and the remaining
  scores -inf.

Why `faiss.knn`: it reaches the speed of the bare matrix product (`tests/bench/bench_search.py`). It returns ties in no
useful order and keeps arbitrary ones at the k-th place, so this module sorts them, and compares the few queries with a
tie at the k-th place again.
"""

import numpy as np

from audioae.search.lazy_faiss import load_faiss

QUERY_BLOCK = 1 << 14  # queries per call: bounds the memory for sorting their results
TIE = 1e-6  # scores closer than this are equal: the rounding error of float32 products of unit vectors


def exact_neighbors(embeddings: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the `k` nearest rows of each query by comparing it with every row.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, dim), float32, L2-normalized
    queries : np.ndarray, shape (n_queries, dim), float32, L2-normalized
    k : int
        How many neighbors; beyond n, rows are -1.

    Returns
    -------
    scores : np.ndarray, shape (n_queries, k), float32
    rows : np.ndarray, shape (n_queries, k), int64

    >>> exact_neighbors(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[:1], 2)[1]
    array([[0, 1]])
    """
    scores = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    n_found = min(k, len(embeddings))
    if n_found:
        for start in range(0, len(queries), QUERY_BLOCK):
            block = slice(start, start + QUERY_BLOCK)
            scores[block, :n_found], rows[block, :n_found] = _ordered_neighbors(embeddings, queries[block], n_found)
    return scores, rows


def merge_neighbors(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of two results for the same queries, each (scores, rows) of shape (n_queries, k); `one` wins ties."""
    scores, rows = np.hstack([one[0], other[0]]), np.hstack([one[1], other[1]])
    best = np.argsort(-scores, axis=1, kind="stable")[:, : one[0].shape[1]]
    return np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)


def recall_at_k(hits: np.ndarray, truth: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """The share of the k nearest neighbors that a search found, and its standard error over queries.

    Tie-aware: any row as close as the k-th nearest counts. The truth may therefore be deeper than k; a query whose ties
    continue to the end of a deeper truth is excluded, because its neighbors are not all known.

    Parameters
    ----------
    hits : np.ndarray, shape (n_queries, k), int64
        The rows that the search returned, in any order; -1 for a missing row.
    truth : (np.ndarray, np.ndarray), each of shape (n_queries, depth), depth >= k
        Scores and rows of `exact_neighbors`.

    Returns
    -------
    recall, standard_error : float

    >>> recall_at_k(np.array([[0, 7]]), (np.array([[0.9, 0.8]]), np.array([[0, 3]])))
    (0.5, 0.0)
    """
    scores, rows = truth
    k, depth = hits.shape[1], rows.shape[1]
    present = (rows[:, :k] >= 0).sum(axis=1)
    kth = np.where(rows[:, :k] >= 0, scores[:, :k], np.inf).min(axis=1, initial=np.inf, keepdims=True)
    counts = (rows >= 0) & (scores >= kth - TIE)
    known = (present > 0) & ((depth == k) | ~counts[:, -1])
    if not known.any():
        return 1.0, 0.0
    n_hits = ((hits[:, :, None] == np.where(counts, rows, -2)[:, None, :]).any(axis=2)).sum(axis=1)
    shares = (np.minimum(n_hits, present) / np.maximum(present, 1))[known]
    return float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else 0.0


def _ordered_neighbors(embeddings: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest rows, ties in the order of rows; k <= n. One more neighbor shows whether the k-th has a tie."""
    faiss = load_faiss()
    depth = min(k + 1, len(embeddings))
    scores, rows = faiss.knn(queries, embeddings, depth, metric=faiss.METRIC_INNER_PRODUCT)
    order = np.lexsort((rows, -scores), axis=1)
    scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
    if depth > k:
        for query in np.flatnonzero(scores[:, k] == scores[:, k - 1]):
            all_scores = embeddings @ queries[query]
            rows[query, :k] = best = _best(all_scores, k)
            scores[query, :k] = all_scores[best]
    return scores[:, :k], rows[:, :k]


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Positions of the `k` greatest of `scores`, greatest first, ties in the order of positions; k < len(scores)."""
    candidates = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]
