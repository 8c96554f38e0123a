"""Search on one thread: exact search against the bare matrix product, and the index of 1M embeddings against Flat.

The embeddings are synthetic: 1M tracks of 20,000 artists of 50 styles, of about 20 effective dimensions; the queries
are other tracks of the same artists. Flat is FAISS's own, so that our exact search is not its own measure.
`python -m tests.bench.bench_search` compares kinds of index at 100,000: what the choice in factory.py stands on.
"""

import time
from functools import partial

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from audioae.search.factory import IndexConfig
from audioae.search.gate import measure_gate
from audioae.search.index import SearchIndex
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
        return [measure_exact(embeddings, queries[:1024]), *measure_index(embeddings, queries)]


def measure_exact(embeddings: np.ndarray, queries: np.ndarray) -> Row:
    """FLOP/s of an exact batch search by those of a large square float32 product, both through NumPy's BLAS."""
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


def measure_index(embeddings: np.ndarray, queries: np.ndarray) -> list[Row]:
    """The index that `auto` chooses, tuned while building; recall on queries that it has never seen."""
    table = make_table(embeddings)
    start = time.perf_counter()
    index = SearchIndex.build(table, IndexConfig(recall_target=0.95, n_queries=4_000))
    build_s = time.perf_counter() - start
    rows = index.search(queries, K)[1]
    found = table.rows_of(index.ids.take(rows.ravel())).reshape(rows.shape)
    recall, error = recall_at_k(found, exact_neighbors(embeddings, queries, 2 * K))

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
    return [
        Row(
            "1M index: recall@10 - 2 standard errors",
            recall - 2 * error,
            0.95,
            "",
            f"{recall:.4f} +- {error:.4f}; {what}",
        ),
        Row("1M index: single queries, Flat / index", flat_single / single, 220, note=_per_second(flat_single, single)),
        Row(
            "1M index: batch of 4,000 queries, Flat / index",
            flat_batch / batch,
            55,
            note=_per_second(flat_batch, batch),
        ),
    ]


def _per_second(flat_s: float, index_s: float) -> str:
    return f"queries/s: Flat {1 / flat_s:.0f}, index {1 / index_s:.0f}"


def compare(n: int = 100_000) -> None:
    """Print each kind of index, tuned to a recall of .95: what it finds, its microseconds per query, its size."""
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
