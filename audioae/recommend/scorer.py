"""Item cold start: rank tracks that nobody has played for a listener, and listeners for such a track.

Conventions
-----------
- Features are float32 (n, d), rows of length 1: embeddings, or `recommend.item_features`.
- Plays are a sparse matrix (n_listeners, n_tracks) of weights, as `PlayLog.matrix` makes it. A track without plays is
  new.
- A score is the number of standard deviations by which a track suits a listener better than the catalog's average track
  does, so scores of different listeners are comparable. It is the mean of two parts: `fit`, how well the track fits the
  listener's own tastes, and, for logs with at least `MIN_LISTENERS` listeners, `others`, the product of the listener's
  CF factors and the factors predicted for the track.

Why both: a listener's own tastes explain a recommendation and need no other listeners, while other listeners' plays
show which kinds of similarity matter. On simulated listeners (`audioae recommend measure`) both together rank better
than the own tastes alone (nDCG@10 .615 against .597); `others` alone ranks as well as both, but a log of few listeners
has only the own tastes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from audioae.errors import SearchError
from audioae.recommend.cf_regression import MIN_TRACKS, CrossValidation, FactorRegression, factorize
from audioae.recommend.ranking import BACKGROUND, standardized, top
from audioae.recommend.tastes import Reason, find_reason, find_tastes, same_taste_distance, taste_fit
from audioae.spacing import evenly_spaced

MIN_LISTENERS = 30
DIM = 32
BLOCK = 256  # listeners


@dataclass(frozen=True)
class Scores:
    """Scores (n_listeners, n_tracks), float32; `others` is None if the log has too few listeners."""

    fit: np.ndarray
    others: np.ndarray | None

    @property
    def total(self) -> np.ndarray:
        return self.fit if self.others is None else (self.fit + self.others) / 2


class ColdStartScorer:
    """Learns what listeners like from their plays, and scores new tracks.

    Parameters
    ----------
    features : np.ndarray, shape (n, d)
    plays : csr_array, shape (n_listeners, n), float32
    groups : np.ndarray, shape (n,), int
        A number per artist.
    hidden : np.ndarray, shape (n,), bool, optional
        Tracks that are never recommended, such as copies of others.

    Raises
    ------
    SearchError
        If the shapes do not match, or a listener has no plays.
    """

    def __init__(self, features: np.ndarray, plays: csr_array, groups: np.ndarray, hidden: np.ndarray | None = None):
        n_tracks = plays.shape[1]  # pyright: ignore[reportOptionalSubscript]
        if n_tracks != len(features) or len(groups) != len(features):
            raise SearchError(
                f"got plays of {n_tracks} tracks, features of {len(features)} and groups of {len(groups)}; "
                "wanted the same number of each"
            )
        if not (np.diff(plays.indptr) > 0).all():
            raise SearchError(f"{(np.diff(plays.indptr) == 0).sum()} listeners have no plays; leave them out")
        self.features, self.plays = features, plays
        self._was_played = np.bincount(plays.indices, minlength=len(features)) > 0
        self._is_new = ~self._was_played if hidden is None else ~(self._was_played | hidden)
        distance = same_taste_distance(features)
        self.tastes = [find_tastes(features, *self._history(row), distance) for row in range(len(plays.indptr) - 1)]
        self._background = features[evenly_spaced(len(features), BACKGROUND)]
        self._regression, self._listener_factors = self._learn(groups)

    @property
    def new(self) -> np.ndarray:
        """Rows of the tracks that nobody has played. Raises `SearchError` if there are none."""
        rows = np.flatnonzero(self._is_new)
        if not len(rows):
            raise SearchError(f"all {len(self._is_new)} tracks with an embedding have been played; none is new")
        return rows

    @property
    def cross_validation(self) -> CrossValidation | None:
        """Accuracy of the predicted CF factors; None if the log is too small to learn them."""
        return self._regression.cross_validation if self._regression else None

    def scores(self, listeners: np.ndarray, features: np.ndarray) -> Scores:
        """Score tracks with any features, shape (m, d), for listeners, rows of shape (l,): parts of shape (l, m)."""
        return self._scores(listeners, features, self._predict(features))

    def recommend(self, listeners: np.ndarray, k: int) -> tuple[np.ndarray, Scores]:
        """Choose the `k` best new tracks of each listener (or fewer): rows (l, k), best first; scores."""
        if k < 1:
            raise SearchError(f"k={k}: wanted at least 1 new track")
        new = self.new
        features = self.features[new]
        factors = self._predict(features)
        blocks = []
        for start in range(0, len(listeners), BLOCK):
            scores = self._scores(listeners[start : start + BLOCK], features, factors)
            best = top(scores.total, k)
            others = None if scores.others is None else np.take_along_axis(scores.others, best, axis=1)
            blocks.append((best, np.take_along_axis(scores.fit, best, axis=1), others))
        best, fit, others = ([part for part in parts if part is not None] for parts in zip(*blocks, strict=True))
        return new[np.concatenate(best)], Scores(np.concatenate(fit), np.concatenate(others) if others else None)

    def audience(self, features: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Choose the `k` listeners whom a track with these features, shape (d,), suits best: rows and scores.

        If the track's label is known and tastes are styles, the share of a listener's plays with that label ranks
        listeners at least as well (area under the ROC curve .80 against .78); the sound serves tracks without a label.
        """
        if k < 1:
            raise SearchError(f"k={k}: wanted at least 1 listener")
        rows = np.arange(len(self.tastes))
        blocks = [self.scores(rows[i : i + BLOCK], features[None]).total for i in range(0, len(rows), BLOCK)]
        scores = np.concatenate(blocks)[:, 0]
        best = top(scores[None], k)[0]
        return best, scores[best]

    def reason(self, listener: int, features: np.ndarray, n: int = 2) -> Reason:
        """Find the taste that a track fits best, and the `n` played tracks of that taste that are closest to it."""
        return find_reason(self.tastes[listener], self.features, features, n)

    def _predict(self, features: np.ndarray) -> np.ndarray | None:
        return None if self._regression is None else self._regression.predict(features)

    def _scores(self, listeners: np.ndarray, features: np.ndarray, factors: np.ndarray | None) -> Scores:
        tastes, n = [self.tastes[row] for row in listeners], len(features)
        fit = standardized(taste_fit(tastes, np.concatenate([features, self._background])), n)
        if factors is None or self._background_factors is None:
            return Scores(fit, None)
        both = np.concatenate([factors, self._background_factors])
        return Scores(fit, standardized(self._listener_factors[listeners] @ both.T, n))

    def _history(self, listener: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(self.plays.indptr[listener], self.plays.indptr[listener + 1])
        return self.plays.indices[part].astype(np.int64), self.plays.data[part]

    def _learn(self, groups: np.ndarray) -> tuple[FactorRegression | None, np.ndarray]:
        """The regression to CF factors, and the factors of the listeners; None and no factors for a small log."""
        played = np.flatnonzero(self._was_played)
        n_listeners = len(self.tastes)
        if n_listeners < MIN_LISTENERS or len(played) < MIN_TRACKS or len(set(groups[played].tolist())) < 2:
            return None, np.zeros((n_listeners, 0), np.float32)
        listeners, tracks = factorize(csr_array(self.plays[:, played]), DIM)
        return FactorRegression(self.features[played], tracks, groups[played]), listeners

    @cached_property
    def _background_factors(self) -> np.ndarray | None:
        return self._predict(self._background)
