"""Collaborative vectors from sound: what listeners would make of a track, estimated before anybody has played it.

Conventions
-----------
- Embeddings are float32 (n, d), rows of length 1; collaborative vectors float (n, c) of any length, the user's own or
  those of `factorize`.
- The estimate is kernel ridge regression, kernel exp(GAMMA * (cosine - 1) * 2), over at most `LANDMARKS` tracks.
- Its penalty is the one of `PENALTIES` with the least error on held-out tracks, and that error is reported: with six
  penalties to choose from, that is hardly favored. Tracks of one artist are held out together.

Source: van den Oord, Dieleman and Schrauwen 2013, "Deep content-based music recommendation" (regression from audio to
collaborative factors); landmarks: Williams and Seeger 2001 (Nystroem).
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
class HeldOut:
    """How well vectors of held-out tracks were estimated.

    Parameters
    ----------
    r2 : float
        Share of the squared deviation from the mean that is explained; below 0 is worse than the mean.
    cosine, cosine_of_mean : float
        Mean cosine to the true vector, of the estimate and of the mean of all vectors.
    penalty : float
        The one that was chosen.
    n : int
        Tracks.
    """

    r2: float
    cosine: float
    cosine_of_mean: float
    penalty: float
    n: int


class SoundRegression:
    """Estimates collaborative vectors from embeddings.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, d)
    vectors : np.ndarray, shape (n, c)
    groups : np.ndarray, shape (n,), int
        Tracks of one artist have one number.

    Raises
    ------
    SearchError
        If there are fewer than `MIN_TRACKS` tracks or two groups, or a vector is not finite.
    """

    def __init__(self, embeddings: np.ndarray, vectors: np.ndarray, groups: np.ndarray):
        n = len(embeddings)
        if n < MIN_TRACKS or len(set(groups.tolist())) < 2:
            raise SearchError(
                f"collaborative vectors of {n} tracks by {len(set(groups.tolist()))} artists; wanted at least "
                f"{MIN_TRACKS} tracks by 2 artists to learn from"
            )
        if vectors.ndim != 2 or len(vectors) != n or not np.isfinite(vectors).all():
            raise SearchError(
                f"collaborative vectors: got shape {vectors.shape} or NaN, wanted ({n}, c) finite numbers"
            )
        self.mean = vectors.mean(axis=0).astype(np.float64)
        self._features = Nystroem(gamma=GAMMA, n_components=min(LANDMARKS, n), random_state=0).fit(embeddings)
        folds = _folds(groups)
        grams, moments = self._sums(embeddings, vectors, folds)
        self.held_out = self._choose(embeddings, vectors, folds, grams, moments)
        self._weights = _solve(grams.sum(axis=0), moments.sum(axis=0), self.held_out.penalty)

    def estimate(self, embeddings: np.ndarray) -> np.ndarray:
        """Collaborative vectors of any tracks, shape (n, c), float32."""
        blocks = [self._transform(embeddings[i : i + BLOCK]) @ self._weights for i in range(0, len(embeddings), BLOCK)]
        return (np.concatenate([np.zeros((0, len(self.mean))), *blocks]) + self.mean).astype(np.float32)

    def _transform(self, embeddings: np.ndarray) -> np.ndarray:
        return self._features.transform(embeddings)

    def _sums(self, embeddings: np.ndarray, vectors: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Per fold what a ridge regression needs of its tracks: they are read once, in blocks."""
        m = self._transform(embeddings[:1]).shape[1]
        grams, moments = np.zeros((FOLDS, m, m)), np.zeros((FOLDS, m, vectors.shape[1]))
        for fold in range(FOLDS):
            for rows in _blocks(np.flatnonzero(folds == fold)):
                features = self._transform(embeddings[rows])
                grams[fold] += features.T @ features
                moments[fold] += features.T @ (vectors[rows] - self.mean)
        return grams, moments

    def _choose(
        self, embeddings: np.ndarray, vectors: np.ndarray, folds: np.ndarray, grams: np.ndarray, moments: np.ndarray
    ) -> HeldOut:
        errors, cosines = np.zeros(len(PENALTIES)), np.zeros(len(PENALTIES))
        deviation, cosine_of_mean = 0.0, 0.0
        for fold in range(FOLDS):
            kept = np.arange(FOLDS) != fold
            weights = [_solve(grams[kept].sum(axis=0), moments[kept].sum(axis=0), p) for p in PENALTIES]
            for rows in _blocks(np.flatnonzero(folds == fold)):
                features, true = self._transform(embeddings[rows]), vectors[rows]
                deviation += np.square(true - self.mean).sum()
                cosine_of_mean += _cosines(np.broadcast_to(self.mean, true.shape), true).sum()
                for i, own in enumerate(weights):
                    estimated = features @ own + self.mean
                    errors[i] += np.square(true - estimated).sum()
                    cosines[i] += _cosines(estimated, true).sum()
        best, n = int(errors.argmin()), len(embeddings)
        r2 = 1 - errors[best] / max(deviation, 1e-12)
        return HeldOut(float(r2), float(cosines[best] / n), float(cosine_of_mean / n), PENALTIES[best], n)


def factorize(matrix: csr_array, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Collaborative vectors of listeners (l, c) and tracks (n, c): their products are the closest to `matrix` (l, n).

    >>> listeners, tracks = factorize(csr_array(np.eye(4, 5, dtype=np.float32)), 2)
    >>> listeners.shape, tracks.shape
    ((4, 2), (5, 2))
    """
    u, s, vt = randomized_svd(matrix, dim, random_state=0)  # fewer where the matrix is smaller
    return u.astype(np.float32), (vt.T * s).astype(np.float32)


def _folds(groups: np.ndarray) -> np.ndarray:
    """Fold of each track, shape (n,): groups stay whole."""
    number = np.unique(groups, return_inverse=True)[1]
    return np.random.default_rng(0).permutation(number.max() + 1)[number] % FOLDS


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]


def _solve(gram: np.ndarray, moment: np.ndarray, penalty: float) -> np.ndarray:
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), moment)


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.einsum("ij,ij->i", a, b) / np.maximum(lengths, 1e-12)
