"""Item cold start by regression: predict a track's collaborative-filtering (CF) factors from its features.

Conventions
-----------
- Features are float32 (n, d), rows of length 1: embeddings, or `recommend.item_features`. CF factors are float (n, c)
  of any length: the user's own, such as those of ALS, or those of `factorize`.
- The model is a kernel ridge regression with the kernel exp(2 * GAMMA * (cosine - 1)) on at most `LANDMARKS` tracks.
- The penalty is the one of `PENALTIES` with the smallest error in cross-validation, and that error is reported. The
  choice among six values makes it hardly optimistic. Tracks by one artist are always in the same fold.

Source: van den Oord, Dieleman and Schrauwen 2013, "Deep content-based music recommendation" (regression from audio to
CF factors); Williams and Seeger 2001 (the Nystroem approximation with landmarks).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from sklearn.kernel_approximation import Nystroem
from sklearn.utils.extmath import randomized_svd

from audioae.errors import SearchError

GAMMA = 1.5
LANDMARKS = 512
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FOLDS = 5
MIN_TRACKS = 10
BLOCK = 8192


@dataclass(frozen=True)
class CrossValidation:
    """Accuracy of the predicted factors of held-out tracks.

    Parameters
    ----------
    r2 : float
        Explained share of the squared deviation from the mean; below 0 is worse than predicting the mean.
    cosine, cosine_of_mean : float
        Mean cosine of the prediction, and of the mean of all factors, to the true factors.
    penalty : float
        The chosen penalty.
    n : int
        Number of tracks.
    """

    r2: float
    cosine: float
    cosine_of_mean: float
    penalty: float
    n: int


class FactorRegression:
    """Predicts CF factors of tracks from their features.

    Parameters
    ----------
    features : np.ndarray, shape (n, d)
    factors : np.ndarray, shape (n, c)
    groups : np.ndarray, shape (n,), int
        A number per artist.

    Attributes
    ----------
    mean : np.ndarray, shape (c,)
        Mean of the factors.
    cross_validation : CrossValidation

    Raises
    ------
    SearchError
        If there are fewer than `MIN_TRACKS` tracks or two groups, or the factors are not finite.
    """

    def __init__(self, features: np.ndarray, factors: np.ndarray, groups: np.ndarray):
        n, n_groups = len(features), len(set(groups.tolist()))
        if n < MIN_TRACKS or n_groups < 2:
            raise SearchError(
                f"collaborative vectors: got {n} tracks by {n_groups} artists to learn from; wanted at least "
                f"{MIN_TRACKS} tracks by 2 artists"
            )
        if factors.ndim != 2 or len(factors) != n or not np.isfinite(factors).all():
            raise SearchError(
                f"collaborative vectors: got shape {factors.shape} or NaN, wanted ({n}, c) finite numbers"
            )
        self.mean = factors.mean(axis=0).astype(np.float64)
        self._kernel = Nystroem(gamma=GAMMA, n_components=min(LANDMARKS, n), random_state=0).fit(features)
        folds = _folds(groups)
        grams, moments = self._sums(features, factors, folds)
        self.cross_validation = self._validate(features, factors, folds, grams, moments)
        self._weights = _solve(grams.sum(axis=0), moments.sum(axis=0), self.cross_validation.penalty)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict the CF factors of any tracks, shape (n, c), float32."""
        blocks = [self._transform(features[i : i + BLOCK]) @ self._weights for i in range(0, len(features), BLOCK)]
        return (np.concatenate([np.zeros((0, len(self.mean))), *blocks]) + self.mean).astype(np.float32)

    def _transform(self, features: np.ndarray) -> np.ndarray:
        return self._kernel.transform(features)

    def _sums(self, features: np.ndarray, factors: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gram matrix and moments of each fold, from one pass over the tracks in blocks."""
        m = self._transform(features[:1]).shape[1]
        grams, moments = np.zeros((FOLDS, m, m)), np.zeros((FOLDS, m, factors.shape[1]))
        for fold in range(FOLDS):
            for rows in _blocks(np.flatnonzero(folds == fold)):
                mapped = self._transform(features[rows])
                grams[fold] += mapped.T @ mapped
                moments[fold] += mapped.T @ (factors[rows] - self.mean)
        return grams, moments

    def _validate(
        self, features: np.ndarray, factors: np.ndarray, folds: np.ndarray, grams: np.ndarray, moments: np.ndarray
    ) -> CrossValidation:
        """Measure every penalty on the held-out fold, and choose the best."""
        errors, cosines = np.zeros(len(PENALTIES)), np.zeros(len(PENALTIES))
        deviation, cosine_of_mean = 0.0, 0.0
        for fold in range(FOLDS):
            train = np.arange(FOLDS) != fold
            weights = [_solve(grams[train].sum(axis=0), moments[train].sum(axis=0), p) for p in PENALTIES]
            for rows in _blocks(np.flatnonzero(folds == fold)):
                mapped, true = self._transform(features[rows]), factors[rows]
                deviation += np.square(true - self.mean).sum()
                cosine_of_mean += _cosines(np.broadcast_to(self.mean, true.shape), true).sum()
                for i, weight in enumerate(weights):
                    predicted = mapped @ weight + self.mean
                    errors[i] += np.square(true - predicted).sum()
                    cosines[i] += _cosines(predicted, true).sum()
        best, n = int(errors.argmin()), len(features)
        r2 = 1 - errors[best] / max(deviation, 1e-12)
        return CrossValidation(float(r2), float(cosines[best] / n), float(cosine_of_mean / n), PENALTIES[best], n)


def factorize(matrix: csr_array, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Factorize plays (l, n) into factors of listeners (l, c) and tracks (n, c) by a truncated SVD.

    >>> listeners, tracks = factorize(csr_array(np.eye(4, 5, dtype=np.float32)), 2)
    >>> listeners.shape, tracks.shape
    ((4, 2), (5, 2))
    """
    u, s, vt = randomized_svd(matrix, dim, random_state=0)  # c < dim if the matrix is smaller
    return u.astype(np.float32), (vt.T * s).astype(np.float32)


def _folds(groups: np.ndarray) -> np.ndarray:
    """Fold of each track, shape (n,); a group is never split."""
    number = np.unique(groups, return_inverse=True)[1]
    return np.random.default_rng(0).permutation(number.max() + 1)[number] % FOLDS


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]


def _solve(gram: np.ndarray, moment: np.ndarray, penalty: float) -> np.ndarray:
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), moment)


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.einsum("ij,ij->i", a, b) / np.maximum(lengths, 1e-12)
