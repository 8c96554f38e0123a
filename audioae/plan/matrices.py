"""How fast this machine does what building an index consists of: comparing vectors, and coding them.

Why not build a small index and extrapolate: the number of lists grows with the catalog, so the time of a build grows
faster than the catalog; its operations can be counted.
"""

import time

import numpy as np

from audioae.search import engine
from audioae.search.recall import exact_neighbors

DIM = 128
N_LISTS, N_QUERIES, N_TRAINED, N_CODED = 32_768, 2_048, 1_000, 20_000


def gflops() -> float:
    """Billions of float32 operations per second of a search for the nearest of 32,768 vectors, on all cores."""
    vectors, queries = _unit(N_LISTS, 0), _unit(N_QUERIES, 1)
    exact_neighbors(vectors, queries, 1)
    start = time.perf_counter()
    exact_neighbors(vectors, queries, 1)
    return 2 * DIM * N_LISTS * N_QUERIES / (time.perf_counter() - start) / 1e9


def codes_seconds() -> float:
    """CPU seconds per vector to make its 4-bit and 8-bit codes and to append it to its list."""
    factory = f"IVF16,PQ{DIM}x4fs,Refine(SQ8)"
    index = engine.empty_index(factory, DIM)
    engine.train(index, _unit(N_TRAINED, 2), factory)
    vectors = _unit(N_CODED, 3)
    start = time.process_time()
    engine.add(index, vectors)
    return (time.process_time() - start) / N_CODED


def _unit(n: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, DIM), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
