"""Embeddings laid out in the plane, by PCA and by UMAP.

PCA preserves straight lines, and distances as well as two axes can. UMAP preserves which tracks are neighbors, and
nothing else.

Convention: positions are float64, shape (n, 2), in [0, 1], y upwards; the same vectors give the same positions on one
machine.

Source: McInnes, Healy and Melville 2018, "UMAP: Uniform Manifold Approximation and Projection" (umap-learn).
"""

import numpy as np

from audioae.search.projection import fit_plane
from audioae.spacing import evenly_spaced

MAX_POINTS = 5_000
MIN_UMAP = 10
UMAP_NEIGHBORS = 15


def map_rows(n: int) -> np.ndarray:
    """Rows of the tracks on a map: all, or `MAX_POINTS` of them, evenly spaced through the catalog.

    >>> len(map_rows(400)), len(map_rows(1_000_000))
    (400, 5000)
    """
    return evenly_spaced(n, MAX_POINTS)


def pca_layout(vectors: np.ndarray, n_fitted: int | None = None) -> tuple[np.ndarray, float]:
    """Positions on the two axes of largest variance, and the share of the variance along them.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d)
    n_fitted : int, optional
        Only the first `n_fitted` vectors determine the axes; default: all.
    """
    plane = fit_plane(vectors[:n_fitted])
    return _into_square(plane.project(vectors)), float(plane.explained.sum())


def umap_layout(vectors: np.ndarray) -> np.ndarray | None:
    """Positions by UMAP on the cosine with a fixed seed; None for fewer than `MIN_UMAP` tracks."""
    n = len(vectors)
    if n < MIN_UMAP:
        return None
    from umap import UMAP  # takes seconds to import

    umap = UMAP(n_neighbors=min(UMAP_NEIGHBORS, n - 1), min_dist=0.3, metric="cosine", random_state=0, n_jobs=1)
    positions = np.asarray(umap.fit_transform(vectors), np.float64)
    return _into_square(positions / np.maximum(np.ptp(positions, axis=0), 1e-12))  # axes have no units: fill the square


def _into_square(positions: np.ndarray) -> np.ndarray:
    """Shift both axes and scale them by one factor, so that all positions fit into [0, 1], centered."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    scale = max(float((high - low).max()), 1e-12)
    return (positions - (low + high) / 2) / scale + 0.5
