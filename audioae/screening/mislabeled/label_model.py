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
- The tracks of the model are its reference: they vote, and the classifier is fitted to them. Other tracks can be scored
  by them (`score_others`) under the same rules.
- Tracks are scored in blocks of at most `CELLS` / n_labels, those of one artist together: a table of tracks by labels
  would grow with both. An artist with more tracks than a block is averaged in parts.

Why ridge regression and not logistic: its matrix does not depend on the labels. Folds can be removed from it in closed
form, and scoring another set of labels, which the self-test does many times, costs one matrix product.

Source: out-of-sample probabilities and ranking as in confident learning (Northcutt et al., 2021), without its
thresholds per label: too many of the labels below them are right. Alternatives that were tried:
`python -m tests.bench mislabeled`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioae.screening.mislabeled.grouped_model import (
    Fitted,
    GroupedModel,
    LabelNeighbors,
    Queries,
    Voters,
    one_hot,
)

MAX_SHARE = 0.2  # an artist with more of the catalog than this ("Various Artists") is not treated as one
CELLS = 1 << 23  # shares of labels in one array
MIN_UNIT = 2  # tracks with the same artist and label from which their mean counts


Pair = tuple[np.ndarray, np.ndarray]
"""Votes and probabilities."""


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
    weights : np.ndarray, shape (2, 2)
        Weights of neighbors and classifier, without the tracks of the same recording and of the same artist.
    """

    margin: np.ndarray
    neighbors: np.ndarray
    classifier: np.ndarray
    without_artist: np.ndarray
    other: np.ndarray
    votes: np.ndarray
    probability: np.ndarray
    confusion: np.ndarray
    weights: np.ndarray

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
    groups : np.ndarray, shape (n,), int, optional
        What `artist_groups` gives for the catalog that these tracks are a sample of; default: for these tracks.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        neighbors: LabelNeighbors,
        recordings: np.ndarray,
        artists: np.ndarray,
        n_labels: int,
        k: int,
        *,
        groups: np.ndarray | None = None,
    ):
        self._mean = vectors.mean(axis=0)
        points = self._points(vectors)
        self.n_labels = n_labels
        self.artists = artist_groups(recordings, artists) if groups is None else groups
        self._models = tuple(GroupedModel(points, neighbors, of, k) for of in (recordings, self.artists))
        self._blocks = artist_blocks(self.artists, n_labels)

    def score(self, labels: np.ndarray) -> LabelScores:
        """Score `labels`, shape (n,), each from 0 to n_labels - 1."""
        fitted = self.fit(labels)
        own = tuple(model.own for model in self._models)
        if len(self._blocks) == 1:
            shares = self._shares(fitted, own)
            weights = np.array([_weights([_hits(*of, labels)]) for of in shares])
            return _scores(shares, weights, labels, self.artists, self.n_labels)
        hits: list[list[np.ndarray]] = [[], []]
        for rows in self._blocks:
            for place, of in enumerate(self._shares(fitted, [queries.take(rows) for queries in own])):
                hits[place].append(_hits(*of, labels[rows]))
        weights = np.array([_weights(of) for of in hits])
        parts = []
        for rows in self._blocks:
            shares = self._shares(fitted, [queries.take(rows) for queries in own])
            parts.append(_scores(shares, weights, labels[rows], self.artists[rows], self.n_labels))
        return _joined(parts, self._blocks, labels, weights)

    def fit(self, labels: np.ndarray) -> tuple[Fitted, ...]:
        """What scoring other tracks by these `labels` of the reference needs."""
        return tuple(model.fit(labels, self.n_labels) for model in self._models)

    def score_others(
        self,
        fitted: tuple[Fitted, ...],
        weights: np.ndarray,
        vectors: np.ndarray,
        neighbors: LabelNeighbors,
        recordings: np.ndarray,
        groups: np.ndarray,
        labels: np.ndarray,
    ) -> tuple[LabelScores, Voters]:
        """Score tracks that need not be in the reference, and who votes on them.

        Parameters
        ----------
        fitted : as returned by `fit`
        weights : np.ndarray, shape (2, 2)
            Those of the reference's `LabelScores`.
        vectors, neighbors, recordings, groups, labels
            Of m tracks, as in the constructor: neighbors are rows of the reference, perhaps the track itself;
            recordings and groups have the numbers of the whole catalog.
        """
        points = self._points(vectors)
        of_groups = zip(self._models, (recordings, groups), strict=True)
        queries = [model.queries(points, neighbors, of) for model, of in of_groups]
        scores = _scores(self._shares(fitted, queries), weights, labels, groups, self.n_labels)
        return scores, Voters.of(queries[0])

    def voters(self, rows: np.ndarray) -> Voters:
        """The tracks that vote on some tracks of the reference."""
        return Voters.of(self._models[0].own.take(rows))

    def _points(self, vectors: np.ndarray) -> np.ndarray:
        return np.hstack([vectors - self._mean, np.ones((len(vectors), 1), np.float32)])

    def _shares(self, fitted: tuple[Fitted, ...], queries: Sequence[Queries]) -> list[Pair]:
        """Votes and probabilities without the same recording, and without the same artist."""
        return [of.shares(q) for of, q in zip(fitted, queries, strict=True)]


def _scores(
    shares: list[Pair], weights: np.ndarray, labels: np.ndarray, artists: np.ndarray, n_labels: int
) -> LabelScores:
    """Scores of some tracks, those of one artist together, from votes and probabilities; `shares` are overwritten."""
    (votes, probability), apart = shares
    by_neighbors, by_classifier, (margin, share) = _combine(votes, probability, labels, weights[0])
    unit, counts = np.unique(artists * n_labels + labels, return_inverse=True, return_counts=True)[1:]
    several = counts[unit] >= MIN_UNIT
    margin_apart, share_apart = _combine(*apart, labels, weights[1])[2]
    without_artist = np.where(several, (np.bincount(unit, margin_apart) / counts)[unit], np.nan)
    means = (one_hot(unit, len(counts)) @ share_apart) / counts[:, None].astype(np.float32)
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
        confusion=one_hot(labels, n_labels) @ share / np.maximum(np.bincount(labels, minlength=n_labels), 1)[:, None],
        weights=weights,
    )


def _joined(
    parts: Sequence[LabelScores], blocks: Sequence[np.ndarray], labels: np.ndarray, weights: np.ndarray
) -> LabelScores:
    """The scores of all blocks, in the order of the tracks."""
    order = np.argsort(np.concatenate(blocks))
    n_labels = len(parts[0].confusion)
    counts = [np.bincount(labels[rows], minlength=n_labels)[:, None] for rows in blocks]
    sums = sum(part.confusion * n for part, n in zip(parts, counts, strict=True))
    per_track = ("margin", "neighbors", "classifier", "without_artist", "other", "votes", "probability")
    joined = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in per_track}
    return LabelScores(**joined, confusion=sums / np.maximum(sum(counts), 1), weights=weights)


def artist_blocks(artists: np.ndarray, n_labels: int) -> list[np.ndarray]:
    """Rows in blocks of at most `CELLS` / n_labels, those of one artist in one block if it can hold them.

    >>> [rows.tolist() for rows in artist_blocks(np.array([1, 0, 1, 2]), CELLS // 3)]
    [[1, 0, 2], [3]]
    """
    size = max(CELLS // max(n_labels, 1), 1)
    if len(artists) <= size:
        return [np.arange(len(artists))]
    order = np.argsort(artists, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(artists[order])) + 1, len(order))
    blocks, start = [], 0
    while start < len(order):
        whole = ends[np.searchsorted(ends, start + size, side="right") - 1]
        end = whole if whole > start else start + size
        blocks.append(order[start:end])
        start = int(end)
    return blocks


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


def _hits(votes: np.ndarray, probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether each part names the label of each track, shape (2, n), bool."""
    return np.stack([part.argmax(axis=1) == labels for part in (votes, probability)])


def _weights(hits: Sequence[np.ndarray]) -> list[float]:
    """Weights of the two parts: how often each names the label."""
    accuracy = [float(part.mean()) + 1e-9 for part in np.concatenate(hits, axis=1)]
    return [value / sum(accuracy) for value in accuracy]


def _combine(votes: np.ndarray, probability: np.ndarray, labels: np.ndarray, weights: np.ndarray):
    """Both margins, and (margin, shares) of both together."""
    rows = np.arange(len(labels))
    margins = []
    for part in (votes, probability):
        claimed = part[rows, labels]
        part[rows, labels] = -1
        margins.append(claimed - part.max(axis=1))
        part[rows, labels] = claimed
    one, other = map(float, weights)  # of Python, so that the tables stay float32
    return *margins, (one * margins[0] + other * margins[1], one * votes + other * probability)
