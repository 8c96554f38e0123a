"""Cold start: tracks that nobody has played, found by sound for a listener; and listeners for such a track.

Conventions
-----------
- Vectors (n, d), float32, rows of length 1, are embeddings, or item features that include names
  (`recommend.item_features`).
- Plays are a sparse matrix (n_listeners, n_tracks) of weights, as `Plays.matrix` makes it; a track without any is new.
- A score says by how many standard deviations a track suits a listener better than the catalog's average track does:
  listeners can be compared. It is the mean of two parts: `fit`, to the listener's own tastes, and, of logs with at
  least `MIN_LISTENERS` listeners, `others`: what those who play the same would make of it, estimated from its sound.

Why both: own tastes can be explained and need nobody else, and what others play says which of all the ways to sound
alike matters. Of simulated listeners (`audioae recommend measure`), both are better than own tastes alone (nDCG@10 .609
against .594), `others` alone ranks as well as both, and on a log of few listeners there are only own tastes.
"""

# pyright: reportOptionalSubscript=false

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from audioae.errors import SearchError
from audioae.recommend.cf_regression import MIN_TRACKS, HeldOut, SoundRegression, factorize
from audioae.recommend.tastes import KAPPA, alike_distance, find_tastes, fit_of
from audioae.spacing import evenly_spaced

MIN_LISTENERS = 30
DIM = 32
BACKGROUND = 2000  # tracks that say what a listener's average score is
BLOCK = 256  # listeners


@dataclass(frozen=True)
class Reason:
    """Why a track was recommended: the listener's taste that it suits, and the played rows of it that are closest."""

    taste: int
    rows: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Of listeners (rows) for tracks (columns), float32; `others` is None where the log is too small for it."""

    fit: np.ndarray
    others: np.ndarray | None

    @property
    def total(self) -> np.ndarray:
        return self.fit if self.others is None else (self.fit + self.others) / 2


class ColdStartScorer:
    """What listeners like, learned from their plays; asked for new tracks.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d)
    plays : csr_array, shape (n_listeners, n), float32
    groups : np.ndarray, shape (n,), int
        Tracks of one artist have one number.
    hidden : np.ndarray, shape (n,), bool, optional
        Tracks that are never recommended, such as copies of others.

    Raises
    ------
    SearchError
        If the shapes do not fit, or a listener has no plays.
    """

    def __init__(self, vectors: np.ndarray, plays: csr_array, groups: np.ndarray, hidden: np.ndarray | None = None):
        if plays.shape[1] != len(vectors) or len(groups) != len(vectors):
            raise SearchError(
                f"plays of {plays.shape[1]} tracks, {len(vectors)} vectors, {len(groups)} groups; wanted as many"
            )
        if not (np.diff(plays.indptr) > 0).all():
            raise SearchError(f"{(np.diff(plays.indptr) == 0).sum()} listeners have no plays; leave them out")
        self.vectors, self.plays = vectors, plays
        self._was_played = np.bincount(plays.indices, minlength=len(vectors)) > 0
        self._is_new = ~self._was_played if hidden is None else ~(self._was_played | hidden)
        distance = alike_distance(vectors)
        self.tastes = [find_tastes(vectors, *self._history(row), distance) for row in range(plays.shape[0])]
        self._background = vectors[evenly_spaced(len(vectors), BACKGROUND)]
        self._regression, self._listener_vectors = self._learn(groups)

    @property
    def new(self) -> np.ndarray:
        """Rows of the tracks that nobody has played. Raises `SearchError` if there are none."""
        rows = np.flatnonzero(self._is_new)
        if not len(rows):
            raise SearchError(f"each of the {len(self._is_new)} tracks with an embedding was played; none is new")
        return rows

    @property
    def held_out(self) -> HeldOut | None:
        """How well collaborative vectors of held-out tracks were estimated; None where there is no such estimate."""
        return self._regression.held_out if self._regression else None

    def scores(self, listeners: np.ndarray, vectors: np.ndarray) -> Scores:
        """How well tracks (any vectors, shape (m, d)) suit listeners (rows, shape (l,)): parts of shape (l, m)."""
        estimated = None if self._regression is None else self._regression.estimate(vectors)
        return self._scores(listeners, vectors, estimated)

    def recommend(self, listeners: np.ndarray, k: int) -> tuple[np.ndarray, Scores]:
        """The `k` new tracks that suit each listener best: rows (l, k), best first, and their scores.

        Fewer where there are fewer new tracks.
        """
        if k < 1:
            raise SearchError(f"k={k}: wanted at least 1 new track")
        new = self.new
        vectors = self.vectors[new]
        estimated = None if self._regression is None else self._regression.estimate(vectors)
        found = []
        for start in range(0, len(listeners), BLOCK):
            scores = self._scores(listeners[start : start + BLOCK], vectors, estimated)
            best = top(scores.total, k)
            others = None if scores.others is None else np.take_along_axis(scores.others, best, axis=1)
            found.append((best, np.take_along_axis(scores.fit, best, axis=1), others))
        best, fit, others = ([part for part in parts if part is not None] for parts in zip(*found, strict=True))
        return new[np.concatenate(best)], Scores(np.concatenate(fit), np.concatenate(others) if others else None)

    def audience(self, vector: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` listeners whom a track of this vector, shape (d,), suits best: rows and scores, best first.

        Where labels are known and tastes are styles, the share of a listener's plays with the track's label orders
        listeners as well or better (area under the curve .80 against .78): its sound is for what has no label.
        """
        if k < 1:
            raise SearchError(f"k={k}: wanted at least 1 listener")
        rows = np.arange(len(self.tastes))
        blocks = [self.scores(rows[i : i + BLOCK], vector[None]).total for i in range(0, len(rows), BLOCK)]
        scores = np.concatenate(blocks)[:, 0]
        best = top(scores[None], k)[0]
        return best, scores[best]

    def reason(self, listener: int, vector: np.ndarray, n: int = 2) -> Reason:
        """The taste that a track suits, and the `n` played tracks of that taste that it is closest to."""
        tastes = self.tastes[listener]
        taste = int(np.argmax(np.log(tastes.shares) + KAPPA * (tastes.centroids @ vector)))
        members = tastes.members[taste]
        closest = np.argsort(-(self.vectors[members] @ vector), kind="stable")[:n]
        return Reason(taste, members[closest])

    def _scores(self, listeners: np.ndarray, vectors: np.ndarray, estimated: np.ndarray | None) -> Scores:
        tastes, n = [self.tastes[row] for row in listeners], len(vectors)
        fit = _standardized(fit_of(tastes, np.concatenate([vectors, self._background])), n)
        if estimated is None:
            return Scores(fit, None)
        both = np.concatenate([estimated, self._estimated_background])
        return Scores(fit, _standardized(self._listener_vectors[listeners] @ both.T, n))

    def _history(self, listener: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(self.plays.indptr[listener], self.plays.indptr[listener + 1])
        return self.plays.indices[part].astype(np.int64), self.plays.data[part]

    def _learn(self, groups: np.ndarray) -> tuple[SoundRegression | None, np.ndarray]:
        played = np.flatnonzero(self._was_played)
        n_listeners = self.plays.shape[0]
        if n_listeners < MIN_LISTENERS or len(played) < MIN_TRACKS or len(set(groups[played].tolist())) < 2:
            return None, np.zeros((n_listeners, 0), np.float32)
        listeners, tracks = factorize(csr_array(self.plays[:, played]), DIM)
        return SoundRegression(self.vectors[played], tracks, groups[played]), listeners

    @cached_property
    def _estimated_background(self) -> np.ndarray:
        assert self._regression is not None
        return self._regression.estimate(self._background)


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns of the `k` highest scores of each row, highest first.

    >>> top(np.array([[1.0, 3.0, 3.0]]), 2)
    array([[1, 2]])
    """
    k = min(k, scores.shape[1])
    some = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def _standardized(values: np.ndarray, n: int) -> np.ndarray:
    """The first `n` columns, by mean and deviation of the columns behind them."""
    background = values[:, n:]
    deviation = np.maximum(background.std(axis=1, keepdims=True), 1e-6)
    return ((values[:, :n] - background.mean(axis=1, keepdims=True)) / deviation).astype(np.float32)
