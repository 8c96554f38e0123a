"""How two sets of embeddings of the same tracks differ: neighbors kept, hubs, cosine after alignment. Arrays only.

Conventions
-----------
- Both sets have n tracks in the same order; vectors are float32 rows of length 1. A query is one of these tracks; its
  neighbors are exact, among the n tracks without itself.
- overlap@k of a query: the share of its k nearest tracks in one set that are among its k nearest in the other. A track
  as close as the k-th nearest counts as one of them, so that ties do not look like changes.
- Alignment: the rotation (with reflections) that brings the first set closest to the second. It is fitted on the tracks
  that it is measured on, so unrelated sets do not get 0: `Alignment.chance` is what randomly paired tracks get.

Source: Schönemann 1966 (orthogonal Procrustes).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from audioae.search.recall import TIE, exact_neighbors, merge_neighbors

EXTRA = 6  # neighbors beyond k that are looked at for ties
HUB = 3.0  # a hub is in this many times as many lists as the average track
MIN_LISTS = 10  # and in at least this many

Blocks = Iterable[tuple[np.ndarray, np.ndarray]]
"""Vectors, shape (m, d), and their rows, shape (m,), block by block."""


class Nearest(NamedTuple):
    """The nearest tracks of each query, closest first, and k: those beyond k are there for ties only.

    `scores` and `rows` have the shape (n_queries, depth); -inf and -1 where there are fewer.
    """

    scores: np.ndarray
    rows: np.ndarray
    k: int

    @property
    def lists(self) -> np.ndarray:
        """The k nearest rows, shape (n_queries, k)."""
        return self.rows[:, : self.k]


class Alignment(NamedTuple):
    """Cosine of each track's two vectors after the alignment, their mean, and the mean if tracks are paired at random.

    `residual` is the mean squared distance of the two vectors, 0 to 4.
    """

    cosine: np.ndarray
    mean: float
    chance: float
    residual: float


def nearest_in_blocks(blocks: Blocks, queries: np.ndarray, own: np.ndarray, k: int) -> Nearest:
    """The k nearest tracks of each query, itself left out.

    Parameters
    ----------
    blocks : iterable of (np.ndarray, np.ndarray)
        All tracks; one block is in memory at a time.
    queries : np.ndarray, shape (n_queries, d)
    own : np.ndarray, shape (n_queries,), int64
        The row of each query.
    k : int
    """
    depth = k + 1 + EXTRA
    found = np.full((len(queries), depth), -np.inf, np.float32), np.full((len(queries), depth), -1, np.int64)
    for vectors, rows in blocks:
        scores, places = exact_neighbors(vectors, queries, depth)
        found = merge_neighbors(found, (scores, np.where(places < 0, -1, np.append(rows, -1)[places])))
    scores, rows = found
    itself = rows == own[:, None]
    itself[~itself.any(axis=1), -1] = True  # so many tracks have its embedding: drop the last of them instead
    shape = len(queries), depth - 1
    return Nearest(scores[~itself].reshape(shape), rows[~itself].reshape(shape), k)


def overlap(a: Nearest, b: Nearest) -> np.ndarray:
    """overlap@k of each query, shape (n_queries,), float32.

    >>> one = Nearest(np.array([[0.9, 0.8, 0.1]]), np.array([[4, 7, 2]]), 2)
    >>> overlap(one, Nearest(np.array([[0.9, 0.8, 0.1]]), np.array([[4, 2, 7]]), 2)).tolist()
    [0.5]
    """
    same = a.rows[:, :, None] == b.rows[:, None, :]
    common = (same & _near(a)[:, :, None] & _near(b)[:, None, :]).sum(axis=(1, 2))
    wanted = np.minimum((a.lists >= 0).sum(axis=1), (b.lists >= 0).sum(axis=1))
    return (np.minimum(common, wanted) / np.maximum(wanted, 1)).astype(np.float32)


def align(a: np.ndarray, b: np.ndarray, seed: int = 0) -> Alignment:
    """Rotate `a` as close to `b` as possible, and compare row by row; each of shape (n, d).

    >>> float(round(align(np.eye(3)[[1, 2, 0]], np.eye(3)).mean, 6))
    1.0
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    left, _, right = np.linalg.svd(a.T @ b)
    cosine = np.einsum("ij,ij->i", a @ (left @ right), b)
    shuffled = a[np.random.default_rng(seed).permutation(len(a))]
    chance = np.linalg.svd(shuffled.T @ b, compute_uv=False).sum() / len(a)
    mean = float(cosine.mean())
    return Alignment(cosine.clip(-1, 1).astype(np.float32), mean, float(chance), float(np.mean(2 - 2 * cosine)))


def same_group_share(lists: np.ndarray, own: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The share of each query's neighbors that are of its group, shape (n_queries,).

    Parameters
    ----------
    lists : np.ndarray, shape (n_queries, k)
        Rows of neighbors; -1 where there is none.
    own : np.ndarray, shape (n_queries,)
        The row of each query.
    codes : np.ndarray, shape (n,)
        The group of each track; -1 if unknown: then the query has no share (NaN).
    """
    group = codes[own]
    same = (codes[lists] == group[:, None]) & (lists >= 0)
    share = same.sum(axis=1) / np.maximum((lists >= 0).sum(axis=1), 1)
    return np.where(group >= 0, share, np.nan)


def occurrence(lists: np.ndarray, n: int) -> np.ndarray:
    """In how many lists each of n tracks is, shape (n,), int64."""
    return np.bincount(lists[lists >= 0].ravel(), minlength=n)


def hub_threshold(n_queries: int, n: int, k: int) -> int:
    """In how many lists a track must be to be a hub.

    >>> hub_threshold(100, 100, 10), hub_threshold(1000, 1_000_000, 10)
    (30, 10)
    """
    return int(max(np.ceil(HUB * k * n_queries / n), MIN_LISTS))


def _near(nearest: Nearest) -> np.ndarray:
    """Which neighbors are as close as the k-th, shape (n_queries, depth)."""
    present = nearest.rows >= 0
    kth = np.where(present[:, : nearest.k], nearest.scores[:, : nearest.k], np.inf).min(axis=1, keepdims=True)
    return present & (nearest.scores >= kth - TIE)
