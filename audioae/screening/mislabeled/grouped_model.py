"""Shares of labels by neighbors' votes and by ridge regression, in which tracks of one group never judge each other.

Conventions
-----------
- The tracks of the model are its reference: they vote, and the regression is fitted to them. Queries are tracks to
  score; those of the reference are queries as well.
- A fold is left out for the tracks of its groups; what no group of the reference has is judged by all folds.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

TEMPERATURE = 0.1  # of votes, in cosine
SHARPNESS = 0.15  # temperature of the softmax over the regression's outputs
RIDGE = 0.02  # penalty, relative to the mean variance of a dimension
N_FOLDS = 10


class LabelNeighbors(NamedTuple):
    """The nearest other tracks of each track, closest first, (n, depth): cosines, and rows (-1: no more)."""

    scores: np.ndarray
    rows: np.ndarray


class Queries(NamedTuple):
    """Tracks to score: their points (m, d + 1), their voters (m, k) as rows, cosines and weights (0: none), and their
    folds; the last fold is for tracks of no group of the reference."""

    points: np.ndarray
    rows: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    fold: np.ndarray

    def take(self, rows: np.ndarray) -> "Queries":
        return Queries(*(values[rows] for values in self))


class Voters(NamedTuple):
    """Who votes on m tracks, closest first, (m, k): rows of the reference, -1 where there are no more; and cosines."""

    rows: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, queries: Queries) -> "Voters":
        return cls(np.where(queries.weights > 0, queries.rows, -1), queries.scores)


class Fitted(NamedTuple):
    """What depends on the labels: these, the square root of how many have each, and coefficients by fold."""

    labels: np.ndarray
    root: np.ndarray
    coefficients: list[np.ndarray]

    def shares(self, queries: Queries) -> tuple[np.ndarray, np.ndarray]:
        """Shares of votes and probabilities, each (m, n_labels) float32; votes are 0 where no neighbor may vote."""
        return self._vote(queries), self._classify(queries)

    def _vote(self, queries: Queries) -> np.ndarray:
        n, n_labels = len(queries.rows), len(self.root)
        labels = self.labels[queries.rows]
        weights = queries.weights / self.root[labels].astype(np.float32)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        cells = np.arange(n)[:, None] * n_labels + labels
        return np.bincount(cells.ravel(), weights.ravel(), n * n_labels).astype(np.float32).reshape(n, n_labels)

    def _classify(self, queries: Queries) -> np.ndarray:
        outputs = np.empty((len(queries.points), len(self.root)), np.float32)
        for fold, coefficients in enumerate(self.coefficients):
            test = queries.fold == fold
            if test.any():
                outputs[test] = queries.points[test] @ coefficients
        outputs -= outputs.max(axis=1, keepdims=True)
        np.exp(outputs / SHARPNESS, out=outputs)
        return outputs / outputs.sum(axis=1, keepdims=True)


class GroupedModel:
    """Votes and regression in which tracks of one group never contribute to each other's shares."""

    def __init__(self, points: np.ndarray, neighbors: LabelNeighbors, groups: np.ndarray, k: int):
        self._points, self._k = points, k
        self._numbers, self._groups = np.unique(groups, return_inverse=True)
        self._fold_of_group = _folds(self._groups)
        self._fold = self._fold_of_group[self._groups]
        parts = [points[self._fold == fold] for fold in range(self._fold.max(initial=0) + 1)]
        squares = np.stack([part.T @ part for part in parts]).astype(np.float64)
        total = squares.sum(axis=0)
        self._inverses = [*(_inverse(total - square) for square in squares), _inverse(total)]
        self.own = self.queries(points, neighbors, groups)

    def queries(self, points: np.ndarray, neighbors: LabelNeighbors, groups: np.ndarray) -> Queries:
        """Tracks, whose groups have the numbers of the reference, with the voters that they may have."""
        place = np.minimum(np.searchsorted(self._numbers, groups), len(self._numbers) - 1)
        group = np.where(self._numbers[place] == groups, place, -1)
        allowed = (neighbors.rows >= 0) & (self._groups[neighbors.rows] != group[:, None])
        chosen = allowed & (np.cumsum(allowed, axis=1, dtype=np.int32) <= self._k)
        order = np.argsort(~chosen, axis=1, kind="stable")[:, : self._k].astype(np.int32)
        present = np.take_along_axis(chosen, order, 1)
        rows = np.where(present, np.take_along_axis(neighbors.rows, order, 1), 0).astype(np.int32)
        scores = np.where(present, np.take_along_axis(neighbors.scores, order, 1), -np.inf).astype(np.float32)
        nearest = np.where(present[:, :1], scores[:, :1], 0)
        fold = np.where(group >= 0, self._fold_of_group[group], len(self._inverses) - 1)
        return Queries(points, rows, scores, np.exp((scores - nearest) / TEMPERATURE), fold)

    def fit(self, labels: np.ndarray, n_labels: int) -> Fitted:
        n_folds = len(self._inverses) - 1
        sums = one_hot(self._fold * n_labels + labels, n_folds * n_labels) @ self._points
        sums = sums.reshape(n_folds, n_labels, -1).transpose(0, 2, 1)
        total = sums.sum(axis=0)
        others = [*(total - of_fold for of_fold in sums), total]
        coefficients = [(inverse @ of).astype(np.float32) for inverse, of in zip(self._inverses, others, strict=True)]
        return Fitted(labels, np.sqrt(np.bincount(labels, minlength=n_labels)), coefficients)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of the regression's matrix with its penalty; the constant, its last dimension, is not penalized."""
    dim = len(matrix) - 1
    penalty = np.full(dim + 1, RIDGE * np.trace(matrix[:dim, :dim]) / dim + 1e-6)
    penalty[-1] = 1e-6
    return np.linalg.inv(matrix + np.diag(penalty))


def _folds(groups: np.ndarray) -> np.ndarray:
    """A fold for each group; the largest are assigned first."""
    counts = np.bincount(groups)
    order = np.lexsort((np.random.default_rng(0).random(len(counts)), -counts))
    fold = np.empty(len(counts), np.int64)
    fold[order] = np.arange(len(counts)) % min(N_FOLDS, len(counts))
    return fold


def one_hot(labels: np.ndarray, n_labels: int) -> csr_array:
    """Shape (n_labels, n): 1 where a track (column) has a label (row)."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(n_labels + 1))
    return csr_array((np.ones(len(labels), np.float32), order, starts), shape=(n_labels, len(labels)))
