"""Embeddings to search in: tracks around artists around styles."""

import numpy as np

from audioae.search.embeddings import EmbeddingTable

MODEL = "model@0123abcd"


def clustered(n: int, seed: int, n_artists: int = 400) -> np.ndarray:
    """`n` unit vectors, (n, 128) float32: of 50 styles, of `n_artists` artists, and each different.

    The variance falls from dimension to dimension, so that about 20 of the 128 count (participation ratio 20). Another
    seed gives other tracks of the same artists.
    """
    world, rng = np.random.default_rng(0), np.random.default_rng(seed)
    spectrum = ((1 + np.arange(128)) ** -0.5).astype(np.float32)
    styles = world.standard_normal((50, 128), np.float32)
    artists = styles[world.integers(50, size=n_artists)] + 0.7 * world.standard_normal((n_artists, 128), np.float32)
    embeddings = 0.7 * rng.standard_normal((n, 128), np.float32)
    embeddings += artists[rng.integers(n_artists, size=n)]
    embeddings *= spectrum
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings


def make_table(embeddings: np.ndarray, model: str = MODEL) -> EmbeddingTable:
    return EmbeddingTable([f"track{i:06d}" for i in range(len(embeddings))], embeddings, model)
