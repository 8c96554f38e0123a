"""Item cold start for 1,000 listeners and 10,000 new tracks among 100,000: seconds by step, and peak memory.

The vectors are synthetic: tracks of 5,000 artists and 50 styles. A listener has played about 100 tracks that are close
to three random ones. It runs in a separate process, so that the peak memory is that of the benchmark.
"""

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from audioae.recommend.item_features import item_features
from audioae.recommend.scorer import BLOCK, ColdStartScorer
from tests.bench.harness import Row
from tests.search.made import clustered

N, N_NEW, N_LISTENERS, N_ARTISTS, K = 100_000, 10_000, 1_000, 5_000, 10


def measure() -> list[Row]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = pool.submit(run, N, N_NEW, N_LISTENERS).result()
    note = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result["seconds"].items())
    total = sum(result["seconds"].values())
    return [
        Row("cold start: 10,000 new tracks for 1,000 listeners", total, 30, " s", note, higher_is_better=False),
        Row("... peak memory, 0.2 GB of it the catalog", result["peak_gb"], 1, " GB", higher_is_better=False),
    ]


def run(n: int, n_new: int, n_listeners: int) -> dict[str, Any]:
    """Seconds by step and peak memory, on one thread."""
    with threadpool_limits(1):
        vectors = clustered(n, seed=1, n_artists=N_ARTISTS)
        plays = made_plays(vectors, n - n_new, n_listeners)
        artists = np.arange(n) % N_ARTISTS
        start = time.perf_counter()
        features = item_features(vectors, artists.astype(str), (artists % 50).astype(str))
        marks = {"features": time.perf_counter() - start}
        start = time.perf_counter()
        scorer = ColdStartScorer(features, plays, artists)
        marks["learning"] = time.perf_counter() - start
        start = time.perf_counter()
        for first in range(0, n_listeners, BLOCK):
            rows = np.arange(first, min(first + BLOCK, n_listeners))
            best, _ = scorer.recommend(rows, K)
        marks["ranking"] = time.perf_counter() - start
        start = time.perf_counter()
        for row in rows:
            for track in best[row - first]:
                scorer.reason(int(row), features[track])
        marks["reasons"] = (time.perf_counter() - start) * n_listeners / len(rows)
    return {"seconds": marks, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}


def made_plays(vectors: np.ndarray, n_played: int, n_listeners: int) -> csr_array:
    """Plays of three random tracks and of the 97 closest to them among 500 others, of the first `n_played` tracks."""
    rng = np.random.default_rng(0)
    columns = []
    for _ in range(n_listeners):
        seeds, others = rng.integers(n_played, size=3), rng.choice(n_played, 500, replace=False)
        near = np.argsort(-(vectors[others] @ vectors[seeds].T).max(axis=1))[:97]
        columns.append(np.unique([*seeds, *others[near]]))
    indptr = np.cumsum([0, *map(len, columns)])
    values = rng.random(indptr[-1], np.float32) + 0.1
    return csr_array((values, np.concatenate(columns), indptr), shape=(n_listeners, len(vectors)))
