"""Fréchet distance between two sets of embeddings: how far are generated clips from a catalog's?

Conventions
-----------
- Both sets are summarized by mean and covariance; the distance is the squared 2-Wasserstein distance of two normal
  distributions: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).
- It is 0 for equal sets, and its bias of about 1 / n grows with fewer rows: only distances of sets of one size compare.

Source: Dowson and Landau 1982, "The Fréchet distance between multivariate normal distributions"; Kilgour et al. 2019,
"Fréchet Audio Distance", which uses VGGish embeddings; here any embeddings are compared, so values of papers are on
another scale.
"""

import numpy as np

from audioae.errors import EvaluationError


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """The squared Fréchet distance of two sets of vectors, (n, d) and (m, d).

    Raises
    ------
    EvaluationError
        If the shapes do not match, a set has fewer than two rows, or a value is not finite.

    >>> rows = np.array([[0.0, 0.0], [2.0, 0.0]])
    >>> frechet_distance(rows, rows + [3.0, 4.0])
    25.0
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise EvaluationError(
            f"Fréchet distance: got {one.shape} and {other.shape}, wanted (n, d) and (m, d), n, m > 1"
        )
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise EvaluationError("Fréchet distance: vectors contain NaN or infinity; leave them out")
    first, second = np.atleast_2d(np.cov(one, rowvar=False)), np.atleast_2d(np.cov(other, rowvar=False))
    root = _root(first)
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(min=0)).sum()
    gap = one.mean(axis=0) - other.mean(axis=0)
    return float(max(gap @ gap + np.trace(first) + np.trace(second) - 2 * cross, 0.0))


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
