"""Embeddings laid out in the plane: by PCA, which keeps straight lines and distances as far as two axes can, and by
UMAP, which keeps who is whose neighbor and nothing else.

Convention: positions are float64 (n, 2) in [0, 1], y upwards; the same vectors give the same positions on a machine.

Source: McInnes, Healy and Melville 2018, "UMAP: Uniform Manifold Approximation and Projection" (umap-learn).
"""

import numpy as np
from sklearn.decomposition import PCA

from audioae.spacing import evenly_spaced

MAX_POINTS = 5_000
MIN_UMAP = 10
NEIGHBORS = 15


def map_rows(n: int) -> np.ndarray:
    """Rows that a map shows: all, or `MAX_POINTS` of them, evenly spread over the catalog.

    >>> len(map_rows(400)), len(map_rows(1_000_000))
    (400, 5000)
    """
    return evenly_spaced(n, MAX_POINTS)


def pca_layout(vectors: np.ndarray, n_fitted: int | None = None) -> tuple[np.ndarray, float]:
    """Positions on the two axes of largest variance, and the share of the variance that they hold.

    Only the first `n_fitted` decide on the axes (default: all); the rest is placed among them.
    """
    fitted = vectors[:n_fitted].astype(np.float64)
    positions = np.zeros((len(vectors), 2))
    pca = PCA(min(2, *fitted.shape), svd_solver="full")
    with np.errstate(invalid="ignore", divide="ignore"):  # vectors that are all the same have no variance to share
        found = pca.fit(fitted).transform(vectors.astype(np.float64))
    positions[:, : found.shape[1]] = found
    return _into_square(positions), float(np.nan_to_num(pca.explained_variance_ratio_.sum()))


def umap_layout(vectors: np.ndarray) -> np.ndarray | None:
    """Positions by UMAP on cosine with a fixed seed; None for fewer than `MIN_UMAP` tracks."""
    n = len(vectors)
    if n < MIN_UMAP:
        return None
    from umap import UMAP  # seconds to import: only who wants a map waits

    umap = UMAP(n_neighbors=min(NEIGHBORS, n - 1), min_dist=0.3, metric="cosine", random_state=0, n_jobs=1)
    positions = np.asarray(umap.fit_transform(vectors), np.float64)
    return _into_square(positions / np.maximum(np.ptp(positions, axis=0), 1e-12))  # no units: fill the square


def _into_square(positions: np.ndarray) -> np.ndarray:
    """Shift and scale both axes alike, so that all fits into [0, 1] and stands in the middle."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    scale = max(float((high - low).max()), 1e-12)
    return (positions - (low + high) / 2) / scale + 0.5
