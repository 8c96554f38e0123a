"""How many inverted lists: for each number, the lists to probe, the codes to scan and the time to choose them.

`python -m tests.bench.index_lists STORE ARTISTS LISTS ...` on a store of `made_catalog`, such as 1,000,000 tracks by
20,000 artists and 1024 4096 16384 lists; rows are added to `results/index-lists.json`.

Conventions
-----------
- No index is filled: a true neighbor is found if its list is among the probed ones, and the codes that a search scans
  are the lengths of these lists. Refining loses 1 to 2 % more, so the lists must find .965.
- Times are CPU time on one thread. With 4-bit codes of 128 dimensions a scanned code costs 4 to 5 ns.
- Lists are trained in two levels: sqrt(lists) clusters first, then the clusters of each.
"""

import json
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from audioae.pipeline.embeddings import iter_embeddings, sample_embeddings
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.search.made import clustered

RESULTS = Path(__file__).parent / "results" / "index-lists.json"
K, N_QUERIES, WANTED = 10, 300, 0.965
SIZES_FROM = 100_000  # tracks by which the lengths of lists are estimated
PROBES = sorted({round(1.15**step) for step in range(46)})


def main(root: str, n_artists: int, numbers: list[int]) -> None:
    store = Store(root, verify=False)
    ref = store.require("embeddings")
    queries = clustered(N_QUERIES, seed=999_999, n_artists=n_artists)
    sample = sample_embeddings(store, ref, 2 * SIZES_FROM, 1)
    assert sample is not None
    near = nearest_tracks(store, ref, queries, sample.embeddings)
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for lists in numbers:
        for row in measure_lists(store, ref, lists, queries, near, sample.embeddings[:SIZES_FROM]):
            rows.append({"date": date.today().isoformat(), "machine": platform.machine(), **row})
            print(json.dumps(row), flush=True)
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


def nearest_tracks(store: Store, ref: DatasetRef, queries: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """The embeddings of the nearest tracks of each query, (n_queries, K, 128), by comparing it with every track."""
    bound = np.sort(sample @ queries.T, axis=0)[-K]
    found = []
    for block in iter_embeddings(store, ref):
        scores = block.embeddings @ queries.T
        rows, of = np.nonzero(scores >= bound)
        found.append((of, scores[rows, of], block.embeddings[rows]))
    of, scores, vectors = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((-scores, of))
    first = np.searchsorted(of[order], np.arange(len(queries)))
    return np.stack([vectors[order[start : start + K]] for start in first])


def measure_lists(
    store: Store, ref: DatasetRef, lists: int, queries: np.ndarray, near: np.ndarray, sample: np.ndarray
) -> list[dict[str, Any]]:
    """One row for lists that are found by comparing all centers, and one for lists found by an HNSW graph."""
    from faiss.contrib.clustering import two_level_clustering

    train = sample_embeddings(store, ref, max(40 * lists, 1 << 16), 0)
    assert train is not None
    np.random.seed(0)  # two_level_clustering uses it
    begun = time.process_time()
    centers = two_level_clustering(train.embeddings, round(lists**0.5), lists, clustering_niter=10)[0]
    trained_s, rows = time.process_time() - begun, []
    for name, quantizer in (("flat", faiss.IndexFlatL2(128)), ("hnsw", faiss.IndexHNSWFlat(128, 32))):
        quantizer.add(np.ascontiguousarray(centers, np.float32))
        n_probes, recall, error, scanned = probes(quantizer, queries, near, sample, store.manifest(ref).rows)
        row = {"n": store.manifest(ref).rows, "lists": lists, "quantizer": name, "nprobe": n_probes}
        row |= {"found": round(recall, 4), "found_se": round(error, 4), "codes_scanned": round(scanned)}
        faiss.omp_set_num_threads(1)
        row["choose_us"] = microseconds(lambda q=quantizer, p=n_probes: [q.search(one[None], p) for one in queries])
        row["assign_us"] = microseconds(lambda q=quantizer: q.search(sample[:N_QUERIES], 1))
        rows.append({**row, "train_cpu_s": round(trained_s, 1)})
    return rows


def probes(
    quantizer: Any, queries: np.ndarray, near: np.ndarray, sample: np.ndarray, n: int
) -> tuple[int, float, float, float]:
    """The lists to probe, the share of true neighbors found, its standard error, and the codes scanned."""
    own = quantizer.search(near.reshape(-1, 128), 1)[1].reshape(near.shape[:2])
    sizes = np.bincount(quantizer.search(sample, 1)[1].ravel(), minlength=quantizer.ntotal) * n / len(sample)
    for n_probes in (number for number in PROBES if number <= quantizer.ntotal):
        if hasattr(quantizer, "hnsw"):
            quantizer.hnsw.efSearch = max(n_probes, 16)
        probed = quantizer.search(queries, n_probes)[1]
        found = (own[:, :, None] == probed[:, None, :]).any(axis=2).mean(axis=1)
        recall, error = float(found.mean()), float(found.std(ddof=1) / len(found) ** 0.5)
        if recall - 2 * error >= WANTED:
            break
    return n_probes, recall, error, float(sizes[probed].sum(axis=1).mean())


def microseconds(work: Callable[[], Any], rounds: int = 5) -> float:
    """CPU time per query, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        work()
        best = min(best, (time.process_time() - begun) / N_QUERIES)
    return round(1e6 * best, 1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [int(number) for number in sys.argv[3:]])
