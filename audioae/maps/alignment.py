"""A new layout, turned, mirrored, scaled and moved onto the last one: places keep their meaning.

Conventions
-----------
- Places are (n, 2). A similarity keeps shapes: it changes no neighbor.

Source: Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns", with mirrored
solutions allowed (orthogonal Procrustes).
"""

from typing import NamedTuple

import numpy as np

FEWEST = 3  # shared places that determine a similarity


class Similarity(NamedTuple):
    """places -> scale * (places @ rotation) + shift.

    Attributes
    ----------
    rotation : np.ndarray, shape (2, 2)
        Orthogonal; its determinant is -1 if it mirrors.
    scale : float
    shift : np.ndarray, shape (2,)
    """

    rotation: np.ndarray
    scale: float
    shift: np.ndarray

    def apply(self, places: np.ndarray) -> np.ndarray:
        """Transformed places, (n, 2) float32."""
        return (self.scale * (places @ self.rotation) + self.shift).astype(np.float32)


NOTHING = Similarity(np.eye(2), 1.0, np.zeros(2))


def align(places: np.ndarray, last: np.ndarray) -> Similarity:
    """The similarity that takes places closest to their last ones: least squares.

    Parameters
    ----------
    places, last : np.ndarray, each of shape (n, 2)
        Of the same tracks. Fewer than `FEWEST`, or all in one place: nothing is changed.

    >>> turned = align(np.array([[0, 0], [0, 2], [4, 0]]), np.array([[1, 1], [2, 1], [1, 3]]))
    >>> turned.apply(np.array([[0, 0], [2, 2]])).round(6).tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    """
    if len(places) < FEWEST:
        return NOTHING
    here, there = places.astype(np.float64), last.astype(np.float64)
    centered, target = here - here.mean(axis=0), there - there.mean(axis=0)
    size = (centered**2).sum()
    left, strength, right = np.linalg.svd(centered.T @ target)
    if not size or not strength[0]:
        return NOTHING
    rotation, scale = left @ right, strength.sum() / size
    return Similarity(rotation, float(scale), there.mean(axis=0) - scale * (here.mean(axis=0) @ rotation))


def diagonal(places: np.ndarray) -> float:
    """Of the box around all places."""
    return float(np.hypot(*(places.max(axis=0) - places.min(axis=0)))) if len(places) else 0.0


def shift(places: np.ndarray, last: np.ndarray, size: float) -> np.ndarray:
    """How far each track moved, as a share of `size`, the map's diagonal; shape (n,)."""
    return np.linalg.norm(places - last, axis=1) / max(size, 1e-12)
