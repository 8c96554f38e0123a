"""Synthetic embeddings to search in: tracks around artists around styles; and indexes over them."""

from functools import lru_cache
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa

from audioae.search.embeddings import EmbeddingTable
from audioae.search.index import SearchIndex

FACTORIES = (  # every kind of index, and every way to keep embeddings or codes
    "Flat",
    "HNSW32",
    "IVF64,SQ8",
    "IVF64,PQ64x4fs",
    "IVF64,PQ128x4fs,RFlat",
    "IVF64,PQ128x4fs,Refine(SQ8)",
    "OPQ64,IVF64,PQ64x4fs,RFlat",
    "RR,IVF64,RaBitQ5",
)
MODEL = "model@0123abcd"


def clustered(n: int, seed: int, n_artists: int = 400) -> np.ndarray:
    """`n` different unit vectors, (n, 128) float32, of `n_artists` artists in 50 styles.

    The variance decreases from dimension to dimension, so that about 20 of the 128 matter (participation ratio 20).
    Another seed gives other tracks by the same artists.
    """
    artists, rng = _artists(n_artists), np.random.default_rng(seed)
    spectrum = ((1 + np.arange(128)) ** -0.5).astype(np.float32)
    embeddings = 0.7 * rng.standard_normal((n, 128), np.float32)
    embeddings += artists[rng.integers(n_artists, size=n)]
    embeddings *= spectrum
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings


@lru_cache(maxsize=1)
def _artists(n: int) -> np.ndarray:
    """Where the artists are, (n, 128) float32, around 50 styles."""
    world = np.random.default_rng(0)
    styles = world.standard_normal((50, 128), np.float32)
    return styles[world.integers(50, size=n)] + 0.7 * world.standard_normal((n, 128), np.float32)


def make_table(embeddings: np.ndarray, model: str = MODEL) -> EmbeddingTable:
    return EmbeddingTable([f"track{i:06d}" for i in range(len(embeddings))], embeddings, model)


def untuned_index(factory: str, embeddings: np.ndarray) -> SearchIndex:
    """An index with fixed search parameters and hasty training: built within seconds at any size."""
    index = faiss.index_factory(128, factory, faiss.METRIC_INNER_PRODUCT if factory == "Flat" else faiss.METRIC_L2)
    if "IVF" in factory:
        clustering = faiss.extract_index_ivf(index).cp
        clustering.niter, clustering.min_points_per_centroid = 2, 1
    if "OPQ" in factory:
        rotation = faiss.downcast_VectorTransform(faiss.downcast_index(_without_refine(index)).chain.at(0))
        rotation.niter, rotation.max_train_points = 1, 5_000
    if "HNSW" in factory:
        faiss.downcast_index(index).hnsw.efConstruction = 8  # pyright: ignore[reportAttributeAccessIssue]
    index.train(embeddings[:10_000])
    index.add(embeddings)
    ids = pa.array([f"{row:016x}" for row in range(len(embeddings))])
    parameters = {} if factory == "Flat" else {"ef_search": 16} if "HNSW" in factory else {"nprobe": 8}
    parameters |= {"k_factor": 4} if "RFlat" in factory or "Refine" in factory else {}
    about = {"factory": factory, "model": MODEL, "reason": "for a test", "measured": {}, "parameters": parameters}
    return SearchIndex(index, ids, about)


def _without_refine(index):
    index = faiss.downcast_index(index)
    return index.base_index if isinstance(index, faiss.IndexRefine) else index


def save_and_load(index: SearchIndex, folder: Path) -> SearchIndex:
    """The index as a store gives it back: mapped from files, here in a new folder."""
    folder.mkdir()
    return SearchIndex.load(*index.save(folder).values())
