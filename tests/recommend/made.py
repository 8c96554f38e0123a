"""Made-up catalogs of well separated styles, and listeners who like some of them."""

import numpy as np
from scipy.sparse import csr_array


def styles(n_styles: int, n_each: int, spread: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (n, 16) float32 around one direction per style, and each track's style."""
    rng = np.random.default_rng(seed)
    centers = np.linalg.qr(rng.standard_normal((16, 16)))[0][:n_styles]
    style = np.repeat(np.arange(n_styles), n_each)
    vectors = centers[style] + spread * rng.standard_normal((len(style), 16)) / 4
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), style


def plays_of(style: np.ndarray, liked: list[list[int]], allowed: np.ndarray, seed: int = 0) -> csr_array:
    """Plays of listeners who have each played 12 allowed tracks of the styles they like."""
    rng = np.random.default_rng(seed)
    dense = np.zeros((len(liked), len(style)), np.float32)
    for row, styles_liked in enumerate(liked):
        dense[row, rng.choice(np.flatnonzero(np.isin(style, styles_liked) & allowed), 12, replace=False)] = 1
    return csr_array(dense)
