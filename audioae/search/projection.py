"""Two principal axes of embeddings: the flat map on which straight lines stay straight.

Conventions
-----------
- Axes are the two directions of largest variance, as in principal component analysis. Each points to the side on which
  its largest coefficient is positive, so the same embeddings always give the same map.
- Embeddings with fewer than two dimensions, or without variance, have zero axes in the place of missing ones.
"""

from dataclasses import dataclass

import numpy as np

N_AXES = 2


@dataclass(frozen=True, eq=False)
class PlaneProjection:
    """A projection onto two axes, fitted by `fit_plane`.

    Parameters
    ----------
    center : np.ndarray, shape (dim,), float64
        Mean of the fitted embeddings: it is projected to (0, 0).
    axes : np.ndarray, shape (2, dim), float64
        Orthogonal rows of length 1 (of zeros where an axis is missing), the axis of largest variance first.
    explained : np.ndarray, shape (2,), float64 in [0, 1]
        Share of the variance of the fitted embeddings along each axis.
    """

    center: np.ndarray
    axes: np.ndarray
    explained: np.ndarray

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Positions in the plane, shape (n, 2), float64, of embeddings of shape (n, dim)."""
        return (np.asarray(embeddings, np.float64) - self.center) @ self.axes.T


def fit_plane(embeddings: np.ndarray) -> PlaneProjection:
    """Find the two principal axes of embeddings, shape (n, dim), n at least 1.

    >>> plane = fit_plane(np.array([[0.0, 0.0, 1.0], [4.0, 0.0, 1.0], [2.0, 1.0, 1.0], [2.0, -1.0, 1.0]]))
    >>> plane.project(np.array([[3.0, 0.5, 1.0]])).round(6).tolist(), plane.explained.tolist()
    ([[1.0, 0.5]], [0.8, 0.2])
    """
    points = np.asarray(embeddings, np.float64)
    center = points.mean(axis=0)
    _, singular, rows = np.linalg.svd(points - center, full_matrices=False)
    n = min(N_AXES, len(rows))
    axes, variance = np.zeros((N_AXES, points.shape[1])), np.zeros(N_AXES)
    axes[:n], variance[:n] = rows[:n], singular[:n] ** 2
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    axes[largest[:, 0] < 0] *= -1
    total = float((singular**2).sum())
    return PlaneProjection(center, axes, variance / total if total > 0 else variance)
