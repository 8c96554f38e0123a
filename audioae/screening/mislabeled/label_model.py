"""Wrong labels: tracks whose neighbors, and a classifier that did not see them, name another label than the catalog.

Conventions
-----------
- Labels are numbers 0 to n_labels - 1, recordings and artists are numbers too: tracks that share one belong together.
- A margin is in [-1, 1]: what speaks for the claimed label less what speaks for the best other one. A score is
  (margin + 1) / 2, so .5 says that both are as likely. Low = bad.
- Neighbors vote with weight exp((cosine - that of the nearest) / .1), divided by the root of their label's number of
  tracks. The classifier is ridge regression on the labels, out of fold. Copies of one recording never judge each other.
- Each of both margins counts as much as its part names the claimed label of the catalog: where neighbors say nothing,
  they have no say.
- An artist's tracks vouch for each other, so that one wrong among them stands out, and a wholly mislabeled album does
  not. Half of the margin is therefore the mean over all tracks of that artist and claimed label when the artist's
  own tracks have no say.

Why ridge regression, and not logistic: its matrix does not depend on the labels. Folds are taken out of it in closed
form, and judging another set of labels, as measuring on planted swaps does over and over, costs one product.

Source: out-of-sample probabilities and ranking as in confident learning (Northcutt et al., 2021); its thresholds per
label are not used: what they list is too often right. What else was tried: `python -m tests.bench mislabeled`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

TEMPERATURE = 0.1  # of votes, in cosine
SHARPNESS = 0.15  # of the softmax over the regression's answers
RIDGE = 0.02  # of the mean variance of a dimension
N_FOLDS = 10
MAX_SHARE = 0.2  # an artist of more tracks than this ("Various Artists") says nothing
UNIT = 2  # tracks of an artist and label from which their mean counts


class LabelNeighbors(NamedTuple):
    """The nearest other tracks of each, closest first, (n, depth): cosines, and rows, -1 where there are fewer."""

    scores: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class LabelScores:
    """What a jury makes of one set of labels.

    Parameters
    ----------
    margin : np.ndarray, shape (n,), float32
        The whole of it; of which `neighbors` and `classifier` are parts, and `apart` (NaN where it does not count) is
        the artist's mean without its own tracks.
    other : np.ndarray, shape (n,), int64
        The best label that is not claimed.
    votes, probability : np.ndarray, shape (n, 2)
        For the claimed label and for `other`.
    confusion : np.ndarray, shape (n_labels, n_labels)
        Mean of what is said (column) of tracks with a claimed label (row).
    """

    margin: np.ndarray
    neighbors: np.ndarray
    classifier: np.ndarray
    apart: np.ndarray
    other: np.ndarray
    votes: np.ndarray
    probability: np.ndarray
    confusion: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """Shape (n,), float32 in [0, 1], low = bad."""
        return np.clip((self.margin + 1) / 2, 0, 1).astype(np.float32)


class LabelModel:
    """Whoever may judge whom, and everything about it that does not depend on the labels.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), float32, L2-normalized
    neighbors : Neighbors
        Deeper than `k`, to have `k` left without those that may not vote.
    recordings : np.ndarray, shape (n,), int
        Copies of one recording share a number.
    artists : np.ndarray, shape (n,), int
        -1 where the artist is not known.
    n_labels : int
    k : int
        How many neighbors vote.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        neighbors: LabelNeighbors,
        recordings: np.ndarray,
        artists: np.ndarray,
        n_labels: int,
        k: int,
    ):
        points = np.hstack([vectors - vectors.mean(axis=0), np.ones((len(vectors), 1), np.float32)])
        self.n_labels = n_labels
        self.artists = artist_groups(recordings, artists)
        self._own = _Votes(points, neighbors, np.unique(recordings, return_inverse=True)[1], k)
        self._apart = _Votes(points, neighbors, self.artists, k)

    def judge(self, labels: np.ndarray) -> LabelScores:
        """The opinion on `labels`, shape (n,), of which there may be none outside 0 to n_labels - 1."""
        near, named = self._own.judge(labels, self.n_labels)
        by_neighbors, by_classifier, together = _combine(near, named, labels)
        margin, said = together
        unit, counts = np.unique(self.artists * self.n_labels + labels, return_inverse=True, return_counts=True)[1:]
        several = counts[unit] >= UNIT
        (out_margin, out_said) = _combine(*self._apart.judge(labels, self.n_labels), labels)[2]
        apart = np.where(several, (np.bincount(unit, out_margin) / counts)[unit], np.nan)
        means = (_one_hot(unit, len(counts)) @ out_said) / counts[:, None].astype(np.float32)
        said[several] = (said[several] + means[unit[several]]) / 2
        rows = np.arange(len(labels))
        held, said[rows, labels] = said[rows, labels], -np.inf
        other = said.argmax(axis=1)
        said[rows, labels] = held
        both = np.stack([labels, other], axis=1)
        return LabelScores(
            margin=np.where(several, (margin + apart) / 2, margin).astype(np.float32),
            neighbors=by_neighbors,
            classifier=by_classifier,
            apart=apart,
            other=other,
            votes=np.take_along_axis(near, both, 1),
            probability=np.take_along_axis(named, both, 1),
            confusion=_one_hot(labels, self.n_labels)
            @ said
            / np.maximum(np.bincount(labels, minlength=self.n_labels), 1)[:, None],
        )

    def voters(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows that vote on one track, closest first, and their cosines."""
        present = self._own.weights[row] > 0
        return self._own.rows[row][present], self._own.scores[row][present]


def artist_groups(recordings: np.ndarray, artists: np.ndarray) -> np.ndarray:
    """Whose tracks belong together: artists; recordings where there is none, or one has more than `MAX_SHARE`.

    >>> artist_groups(np.array([0, 0, 1, 2, 3, 4]), np.array([-1, 7, -1, -1, -1, -1])).tolist()
    [0, 0, 1, 2, 3, 4]
    """
    first, recording = np.unique(recordings, return_index=True, return_inverse=True)[1:]
    artist = artists[first][recording]  # copies of a recording are of one artist, whatever their tags say
    numbers, counts = np.unique(artist, return_inverse=True, return_counts=True)[1:]
    alone = (artist < 0) | (counts[numbers] > max(MAX_SHARE * len(artists), 1))
    return np.unique(np.where(alone, recording, len(recordings) + numbers), return_inverse=True)[1]


class _Votes:
    """Voters and folds, with tracks of one group never judging each other."""

    def __init__(self, points: np.ndarray, neighbors: LabelNeighbors, groups: np.ndarray, k: int):
        allowed = (neighbors.rows >= 0) & (groups[neighbors.rows] != groups[:, None])
        taken = allowed & (np.cumsum(allowed, axis=1, dtype=np.int32) <= k)
        order = np.argsort(~taken, axis=1, kind="stable")[:, :k].astype(np.int32)
        present = np.take_along_axis(taken, order, 1)
        self.rows = np.where(present, np.take_along_axis(neighbors.rows, order, 1), 0).astype(np.int32)
        self.scores = np.where(present, np.take_along_axis(neighbors.scores, order, 1), -np.inf).astype(np.float32)
        nearest = np.where(present[:, :1], self.scores[:, :1], 0)
        self.weights = np.exp((self.scores - nearest) / TEMPERATURE)
        self._points, self._fold = points, _folds(groups)
        parts = [points[self._fold == fold] for fold in range(self._fold.max(initial=0) + 1)]
        squares = np.stack([part.T @ part for part in parts]).astype(np.float64)
        self._inverses = [_inverse(squares.sum(axis=0) - square) for square in squares]

    def judge(self, labels: np.ndarray, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
        """Shares of votes and probabilities, each (n, n_labels) float32; votes are 0 where nobody may vote."""
        return self._vote(labels, n_labels), self._classify(labels, n_labels)

    def _vote(self, labels: np.ndarray, n_labels: int) -> np.ndarray:
        n = len(labels)
        weights = self.weights / np.sqrt(np.bincount(labels, minlength=n_labels))[labels[self.rows]].astype(np.float32)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        cells = np.arange(n)[:, None] * n_labels + labels[self.rows]
        return np.bincount(cells.ravel(), weights.ravel(), n * n_labels).astype(np.float32).reshape(n, n_labels)

    def _classify(self, labels: np.ndarray, n_labels: int) -> np.ndarray:
        n_folds = len(self._inverses)
        sums = _one_hot(self._fold * n_labels + labels, n_folds * n_labels) @ self._points
        sums = sums.reshape(n_folds, n_labels, -1).transpose(0, 2, 1)
        answers = np.empty((len(labels), n_labels), np.float32)
        for fold, inverse in enumerate(self._inverses):
            held = self._fold == fold
            answers[held] = self._points[held] @ (inverse @ (sums.sum(axis=0) - sums[fold])).astype(np.float32)
        answers -= answers.max(axis=1, keepdims=True)
        np.exp(answers / SHARPNESS, out=answers)
        return answers / answers.sum(axis=1, keepdims=True)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Of the regression's matrix; the constant, its last dimension, is not held back."""
    dim = len(matrix) - 1
    strength = np.full(dim + 1, RIDGE * np.trace(matrix[:dim, :dim]) / dim + 1e-6)
    strength[-1] = 1e-6
    return np.linalg.inv(matrix + np.diag(strength))


def _folds(groups: np.ndarray) -> np.ndarray:
    """A fold for each track, those of a group in one; the largest groups are dealt out first."""
    counts = np.bincount(groups)
    order = np.lexsort((np.random.default_rng(0).random(len(counts)), -counts))
    fold = np.empty(len(counts), np.int64)
    fold[order] = np.arange(len(counts)) % min(N_FOLDS, len(counts))
    return fold[groups]


def _combine(near: np.ndarray, named: np.ndarray, labels: np.ndarray):
    """Both margins, and margin and shares of both together, each part weighted by how often it names the label."""
    rows = np.arange(len(labels))
    right = [float((part.argmax(axis=1) == labels).mean()) + 1e-9 for part in (near, named)]
    own, other = right[0] / sum(right), right[1] / sum(right)
    margins = []
    for part in (near, named):
        claimed = part[rows, labels]
        part[rows, labels] = -1
        margins.append(claimed - part.max(axis=1))
        part[rows, labels] = claimed
    return *margins, (own * margins[0] + other * margins[1], own * near + other * named)


def _one_hot(labels: np.ndarray, n_labels: int) -> csr_array:
    """Shape (n_labels, n): which track has which label."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(n_labels + 1))
    return csr_array((np.ones(len(labels), np.float32), order, starts), shape=(n_labels, len(labels)))
