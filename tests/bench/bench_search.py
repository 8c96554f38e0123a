"""Search: exact search against the bare matrix product, the index of 1M embeddings against Flat, and mapping a file.

The embeddings are synthetic: 1M tracks of 20,000 artists in 50 styles, with about 20 effective dimensions. The queries
are other tracks of the same artists. All is measured on one thread, and exact search on two threads as well. Flat is
FAISS's own, so that our exact search is not compared with itself.
`python -m tests.bench.bench_search` compares the kinds of index at 100,000 embeddings, for the choice in factory.py.
"""

import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from audioae.search.factory import IndexConfig
from audioae.search.gate import measure_gate
from audioae.search.index import SearchIndex
from audioae.search.lazy_faiss import MATRIX_FROM, load_faiss
from audioae.search.recall import exact_neighbors, recall_at_k
from tests.bench.harness import Row, interleave
from tests.search.made import clustered, make_table

N = 1_000_000
ARTISTS = 20_000
K = 10
ROUNDS = 5
COMPARED = [
    "HNSW32",
    "IVF,PQ128x4fs,RFlat",
    "IVF1024,PQ128x4fs,RFlat",
    "IVF,PQ64x4fs,RFlat",
    "IVF,PQ128x4fs,Refine(SQ8)",
    "IVF,SQ8",
    "IVF1024,SQ8",
    "RR,IVF,RaBitQ5",
    "RR,IVF,RaBitQ4",
]


def measure() -> list[Row]:
    faiss.omp_set_num_threads(1)
    with threadpool_limits(1):
        embeddings = clustered(N, seed=1, n_artists=ARTISTS)
        queries = clustered(4_000, seed=2, n_artists=ARTISTS)
        rows = [measure_exact(embeddings, queries[:1024]), *measure_index(embeddings, queries)]
    return [*rows, *(measure_batches(embeddings[:50_000], queries[:64], n_threads) for n_threads in (1, 2))]


def measure_exact(embeddings: np.ndarray, queries: np.ndarray) -> Row:
    """FLOP/s of an exact batch search divided by those of a large square float32 product of NumPy."""
    load_faiss()
    square = np.random.default_rng(0).standard_normal((2048, 2048), np.float32)
    flat = faiss.IndexFlatIP(embeddings.shape[1])
    flat.add(embeddings)
    seconds = interleave(
        {
            "gemm": lambda: square @ square,
            "exact": lambda: exact_neighbors(embeddings, queries, K),
            "faiss": lambda: flat.search(queries, K),
        },
        rounds=9,
    )
    work = 2 * queries.shape[0] * embeddings.size
    gemm = 2 * 2048**3 / seconds["gemm"]
    exact, other = work / seconds["exact"], work / seconds["faiss"]
    note = f"GFLOP/s: gemm {gemm / 1e9:.0f}, exact_neighbors {exact / 1e9:.0f}, faiss Flat {other / 1e9:.0f}"
    return Row("exact batch search FLOP/s / float32 GEMM", exact / gemm, 0.85, note=note)


def measure_batches(embeddings: np.ndarray, queries: np.ndarray, n_threads: int) -> Row:
    """What the lower limit for matrix products in `lazy_faiss` gains for a batch of a few dozen queries."""
    search = partial(exact_neighbors, embeddings, queries, K)
    default = 1000 * embeddings.shape[1]  # numbers in the queries, in FAISS 1.15
    faiss.omp_set_num_threads(n_threads)
    with threadpool_limits(n_threads):
        seconds = interleave(
            {"default": _with_limit(default, search), "ours": _with_limit(MATRIX_FROM, search)}, ROUNDS
        )
    faiss.omp_set_num_threads(1)
    label = f"exact search, {len(queries)} queries of {len(embeddings):,}, {n_threads} thread(s): FAISS's limit / ours"
    return Row(label, seconds["default"] / seconds["ours"], 1.0, note=f"{1000 * seconds['ours']:.1f} ms")


def _with_limit(limit: int, search: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        faiss.cvar.distance_compute_blas_threshold = limit
        return search()

    return run


def measure_index(embeddings: np.ndarray, queries: np.ndarray) -> list[Row]:
    """The index that `auto` chooses, tuned while it is built and mapped from its file; recall on new queries."""
    table = make_table(embeddings)
    start = time.perf_counter()
    index = SearchIndex.build(table, IndexConfig(recall_target=0.95, n_queries=4_000))
    build_s = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        vectors, ids = index.save(Path(folder)).values()
        recorded = json.loads((pq.read_schema(ids).metadata or {})[b"audioae"])["sha256"]
        index = SearchIndex.load(vectors, ids, sha256=recorded)  # it outlives its files
        opening = interleave(
            {"open": lambda: SearchIndex.load(vectors, ids, sha256=recorded), "read": vectors.read_bytes}, rounds=ROUNDS
        )
    rows = index.search(queries, K)[1]
    hits = table.rows_of(index.ids.take(rows.ravel())).reshape(rows.shape)
    recall, error = recall_at_k(hits, exact_neighbors(embeddings, queries, 2 * K))

    flat = faiss.IndexFlatIP(embeddings.shape[1])
    flat.add(embeddings)
    alone = [query[None] for query in queries[:500]]
    seconds = interleave(
        {
            "flat single": lambda: [flat.search(query, K) for query in alone[:20]],
            "single": lambda: [index.search(query, K) for query in alone],
            "flat batch": lambda: flat.search(queries[:1024], K),
            "batch": lambda: index.search(queries, K),
        },
        rounds=ROUNDS,
    )
    flat_single, single = seconds["flat single"] / 20, seconds["single"] / len(alone)
    flat_batch, batch = seconds["flat batch"] / 1024, seconds["batch"] / len(queries)
    what = f"{index.factory} {index.parameters}, {index.n_bytes() / N:.0f} bytes per vector, built in {build_s:.0f} s"
    measured = f"{recall:.4f} +- {error:.4f}; {what}"
    one, many = _per_second(flat_single, single), _per_second(flat_batch, batch)
    opened = f"opened with its IDs in {1000 * opening['open']:.0f} ms"
    return [
        Row("1M index: recall@10 - 2 standard errors", recall - 2 * error, 0.95, "", measured),
        Row("1M index: single queries, Flat / index", flat_single / single, 220, note=one),
        Row("1M index: batch of 4,000 queries, Flat / index", flat_batch / batch, 55, note=many),
        Row("1M index: reading the file / opening it", opening["read"] / opening["open"], 2.0, note=opened),
    ]


def _per_second(flat_s: float, index_s: float) -> str:
    return f"queries/s: Flat {1 / flat_s:.0f}, index {1 / index_s:.0f}"


def compare(n: int = 100_000) -> None:
    """Print each kind of index, tuned to a recall of 0.95: recall, microseconds per query, and bytes per embedding."""
    faiss.omp_set_num_threads(1)
    table, queries = make_table(clustered(n, 1, ARTISTS)), clustered(4_000, 2, ARTISTS)
    print(f"{'index':<32} {'recall':>6} {'self':>6} {'single':>7} {'batch':>7} {'bytes':>6}  parameters")
    for factory in COMPARED:
        config = IndexConfig(factory=factory)
        index = SearchIndex.build(table, config)
        gate = measure_gate(index, table, config)
        seconds = interleave({"batch": partial(index.search, queries, K)}, ROUNDS)["batch"] / len(queries)
        print(
            f"{index.factory:<32} {gate['recall']:6.3f} {gate['self_retrieval']:6.3f} {gate['p50_ms'] * 1e3:7.1f} "
            f"{seconds * 1e6:7.1f} {gate['bytes_per_vector']:6.0f}  {index.parameters}",
            flush=True,
        )


if __name__ == "__main__":
    with threadpool_limits(1):
        compare()
