"""Embeddings laid out in the plane, by PCA and by t-SNE.

PCA preserves straight lines, and distances as well as two axes can. t-SNE preserves which tracks are neighbors, and
nothing else.

Why t-SNE: it keeps more neighbors than UMAP at every size of a map, and costs less. `python -m tests.bench layout`
compares them.

Convention: positions are float64, shape (n, 2), in [0, 1], y upwards; the same vectors give the same positions on one
machine.

Source: van der Maaten 2014, "Accelerating t-SNE using Tree-Based Algorithms" (scikit-learn).
"""

import numpy as np

from audioae.search.projection import fit_plane
from audioae.spacing import evenly_spaced

MAX_POINTS = 5_000
MIN_TSNE = 10
PERPLEXITY = 30


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


def tsne_layout(vectors: np.ndarray) -> np.ndarray | None:
    """Positions by t-SNE with a fixed seed; None for fewer than `MIN_TSNE` tracks.

    Parameters
    ----------
    vectors : np.ndarray, shape (n, d)
        Of length 1: the Euclidean distance then ranks neighbors as the cosine does.
    """
    n = len(vectors)
    if n < MIN_TSNE:
        return None
    from sklearn.manifold import TSNE  # takes seconds to import

    tsne = TSNE(init="pca", perplexity=min(PERPLEXITY, (n - 1) / 3), random_state=0, n_jobs=1)
    return _into_square(np.asarray(tsne.fit_transform(vectors.astype(np.float32)), np.float64))


def _into_square(positions: np.ndarray) -> np.ndarray:
    """Shift both axes and scale them by one factor, so that all positions fit into [0, 1], centered."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    scale = max(float((high - low).max()), 1e-12)
    return (positions - (low + high) / 2) / scale + 0.5
