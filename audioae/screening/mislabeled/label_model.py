"""Which labels are likely wrong: neighbors and an out-of-fold classifier name another label than the catalog.

Conventions
-----------
- Labels are numbers from 0 to n_labels - 1. Recordings and artists are numbers as well: tracks that share one belong
  together.
- A margin is in [-1, 1]: the share of the claimed label minus that of the best other label. The score is
  (margin + 1) / 2, so 0.5 means that both labels are equally likely. Low = bad.
- Neighbors vote with weight exp((cosine - cosine of the nearest) / 0.1), divided by the square root of the number of
  tracks with their label. The classifier is ridge regression on the labels, out of fold. Copies of one recording never
  vote on each other and are always in one fold.
- The two margins are weighted by how often each part names the catalog's label: where neighbors carry no information,
  they hardly count.
- Tracks of one artist support each other, which exposes a single wrong one but hides a wholly mislabeled album. Half of
  the margin is therefore the mean over all tracks with that artist and label, scored without the artist's other tracks.

Why ridge regression and not logistic: its matrix does not depend on the labels. Folds can be removed from it in closed
form, and scoring another set of labels, which the self-test does many times, costs one matrix product.

Source: out-of-sample probabilities and ranking as in confident learning (Northcutt et al., 2021), without its
thresholds per label: too many of the labels below them are right. Alternatives that were tried:
`python -m tests.bench mislabeled`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

TEMPERATURE = 0.1  # of votes, in cosine
SHARPNESS = 0.15  # temperature of the softmax over the regression's outputs
RIDGE = 0.02  # penalty, relative to the mean variance of a dimension
N_FOLDS = 10
MAX_SHARE = 0.2  # an artist with more of the catalog than this ("Various Artists") is not treated as one
MIN_UNIT = 2  # tracks with the same artist and label from which their mean counts


class LabelNeighbors(NamedTuple):
    """The nearest other tracks of each track, closest first, (n, depth): cosines, and rows (-1: no more)."""

    scores: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class LabelScores:
    """The scores of one set of labels.

    Parameters
    ----------
    margin : np.ndarray, shape (n,), float32
        The combined margin, which the score is made from.
    neighbors, classifier : np.ndarray, shape (n,)
        The margins of the two parts.
    without_artist : np.ndarray, shape (n,)
        Mean margin of all tracks with this artist and label, each scored without the artist's other tracks; NaN if
        there are fewer than `MIN_UNIT`.
    other : np.ndarray, shape (n,), int64
        The best label that is not claimed.
    votes, probability : np.ndarray, shape (n, 2)
        Share of the neighbors' votes, and the classifier's probability, for the claimed label and for `other`.
    confusion : np.ndarray, shape (n_labels, n_labels)
        Mean share of each label (column) over the tracks with a claimed label (row).
    """

    margin: np.ndarray
    neighbors: np.ndarray
    classifier: np.ndarray
    without_artist: np.ndarray
    other: np.ndarray
    votes: np.ndarray
    probability: np.ndarray
    confusion: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """Shape (n,), float32 in [0, 1], low = bad."""
        return np.clip((self.margin + 1) / 2, 0, 1).astype(np.float32)


class LabelModel:
    """Scores labels. Everything that does not depend on the labels is computed once, in the constructor.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d), float32, L2-normalized
    neighbors : LabelNeighbors
        More than `k` per track, so that `k` remain without those that may not vote.
    recordings : np.ndarray, shape (n,), int
        Copies of one recording share a number.
    artists : np.ndarray, shape (n,), int
        -1 where the artist is not known.
    n_labels : int
    k : int
        Number of neighbors that vote.
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
        self._by_recording = _GroupedModel(points, neighbors, np.unique(recordings, return_inverse=True)[1], k)
        self._by_artist = _GroupedModel(points, neighbors, self.artists, k)

    def score(self, labels: np.ndarray) -> LabelScores:
        """Score `labels`, shape (n,), each from 0 to n_labels - 1."""
        votes, probability = self._by_recording.shares(labels, self.n_labels)
        by_neighbors, by_classifier, (margin, share) = _combine(votes, probability, labels)
        unit, counts = np.unique(self.artists * self.n_labels + labels, return_inverse=True, return_counts=True)[1:]
        several = counts[unit] >= MIN_UNIT
        margin_apart, share_apart = _combine(*self._by_artist.shares(labels, self.n_labels), labels)[2]
        without_artist = np.where(several, (np.bincount(unit, margin_apart) / counts)[unit], np.nan)
        means = (_one_hot(unit, len(counts)) @ share_apart) / counts[:, None].astype(np.float32)
        share[several] = (share[several] + means[unit[several]]) / 2
        rows = np.arange(len(labels))
        claimed_share, share[rows, labels] = share[rows, labels], -np.inf
        other = share.argmax(axis=1)
        share[rows, labels] = claimed_share
        both = np.stack([labels, other], axis=1)
        return LabelScores(
            margin=np.where(several, (margin + without_artist) / 2, margin).astype(np.float32),
            neighbors=by_neighbors,
            classifier=by_classifier,
            without_artist=without_artist,
            other=other,
            votes=np.take_along_axis(votes, both, 1),
            probability=np.take_along_axis(probability, both, 1),
            confusion=_one_hot(labels, self.n_labels)
            @ share
            / np.maximum(np.bincount(labels, minlength=self.n_labels), 1)[:, None],
        )

    def voters(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the tracks that vote on one track, closest first, and their cosines."""
        present = self._by_recording.weights[row] > 0
        return self._by_recording.rows[row][present], self._by_recording.scores[row][present]


def artist_groups(recordings: np.ndarray, artists: np.ndarray) -> np.ndarray:
    """Group tracks by artist; by recording where the artist is unknown or has more than `MAX_SHARE` of the tracks.

    >>> artist_groups(np.array([0, 0, 1, 2, 3, 4]), np.array([-1, 7, -1, -1, -1, -1])).tolist()
    [0, 0, 1, 2, 3, 4]
    """
    first, recording = np.unique(recordings, return_index=True, return_inverse=True)[1:]
    artist = artists[first][recording]  # copies of a recording have one artist, whatever their tags say
    numbers, counts = np.unique(artist, return_inverse=True, return_counts=True)[1:]
    alone = (artist < 0) | (counts[numbers] > max(MAX_SHARE * len(artists), 1))
    return np.unique(np.where(alone, recording, len(recordings) + numbers), return_inverse=True)[1]


class _GroupedModel:
    """Votes and regression in which tracks of one group never contribute to each other's shares."""

    def __init__(self, points: np.ndarray, neighbors: LabelNeighbors, groups: np.ndarray, k: int):
        allowed = (neighbors.rows >= 0) & (groups[neighbors.rows] != groups[:, None])
        chosen = allowed & (np.cumsum(allowed, axis=1, dtype=np.int32) <= k)
        order = np.argsort(~chosen, axis=1, kind="stable")[:, :k].astype(np.int32)
        present = np.take_along_axis(chosen, order, 1)
        self.rows = np.where(present, np.take_along_axis(neighbors.rows, order, 1), 0).astype(np.int32)
        self.scores = np.where(present, np.take_along_axis(neighbors.scores, order, 1), -np.inf).astype(np.float32)
        nearest = np.where(present[:, :1], self.scores[:, :1], 0)
        self.weights = np.exp((self.scores - nearest) / TEMPERATURE)
        self._points, self.fold = points, _folds(groups)
        parts = [points[self.fold == fold] for fold in range(self.fold.max(initial=0) + 1)]
        squares = np.stack([part.T @ part for part in parts]).astype(np.float64)
        self._inverses = [_inverse(squares.sum(axis=0) - square) for square in squares]

    def shares(self, labels: np.ndarray, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
        """Shares of votes and probabilities, each (n, n_labels) float32; votes are 0 where no neighbor may vote."""
        return self._vote(labels, n_labels), self._classify(labels, n_labels)

    def _vote(self, labels: np.ndarray, n_labels: int) -> np.ndarray:
        n = len(labels)
        weights = self.weights / np.sqrt(np.bincount(labels, minlength=n_labels))[labels[self.rows]].astype(np.float32)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        cells = np.arange(n)[:, None] * n_labels + labels[self.rows]
        return np.bincount(cells.ravel(), weights.ravel(), n * n_labels).astype(np.float32).reshape(n, n_labels)

    def _classify(self, labels: np.ndarray, n_labels: int) -> np.ndarray:
        n_folds = len(self._inverses)
        sums = _one_hot(self.fold * n_labels + labels, n_folds * n_labels) @ self._points
        sums = sums.reshape(n_folds, n_labels, -1).transpose(0, 2, 1)
        outputs = np.empty((len(labels), n_labels), np.float32)
        for fold, inverse in enumerate(self._inverses):
            test = self.fold == fold
            outputs[test] = self._points[test] @ (inverse @ (sums.sum(axis=0) - sums[fold])).astype(np.float32)
        outputs -= outputs.max(axis=1, keepdims=True)
        np.exp(outputs / SHARPNESS, out=outputs)
        return outputs / outputs.sum(axis=1, keepdims=True)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of the regression's matrix with its penalty; the constant, its last dimension, is not penalized."""
    dim = len(matrix) - 1
    penalty = np.full(dim + 1, RIDGE * np.trace(matrix[:dim, :dim]) / dim + 1e-6)
    penalty[-1] = 1e-6
    return np.linalg.inv(matrix + np.diag(penalty))


def _folds(groups: np.ndarray) -> np.ndarray:
    """A fold for each track, one for all tracks of a group; the largest groups are assigned first."""
    counts = np.bincount(groups)
    order = np.lexsort((np.random.default_rng(0).random(len(counts)), -counts))
    fold = np.empty(len(counts), np.int64)
    fold[order] = np.arange(len(counts)) % min(N_FOLDS, len(counts))
    return fold[groups]


def _combine(votes: np.ndarray, probability: np.ndarray, labels: np.ndarray):
    """Both margins, and (margin, shares) of both together, weighted by how often each part names the label."""
    rows = np.arange(len(labels))
    parts = (votes, probability)
    accuracy = [float((part.argmax(axis=1) == labels).mean()) + 1e-9 for part in parts]
    weights = [value / sum(accuracy) for value in accuracy]
    margins = []
    for part in parts:
        claimed = part[rows, labels]
        part[rows, labels] = -1
        margins.append(claimed - part.max(axis=1))
        part[rows, labels] = claimed
    margin = weights[0] * margins[0] + weights[1] * margins[1]
    return *margins, (margin, weights[0] * votes + weights[1] * probability)


def _one_hot(labels: np.ndarray, n_labels: int) -> csr_array:
    """Shape (n_labels, n): 1 where a track (column) has a label (row)."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(n_labels + 1))
    return csr_array((np.ones(len(labels), np.float32), order, starts), shape=(n_labels, len(labels)))
