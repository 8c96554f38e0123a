"""Similar tracks among 100,000: recall under filters, time of a whole query, on one thread.

The embeddings are synthetic: tracks of 5,000 artists of 50 styles, of about 20 effective dimensions. Filters of a given
selectivity are drawn in two ways: any tracks, and the tracks farthest from the query's own style, as a filter on
another label would do. `near` is the index that `auto` chooses at this size; `SQ8` one that keeps codes only.
The query of a store is `Library.similar`, from the name of a track to the rows shown; its time is CPU time of its one
thread, which other work on the machine does not lengthen; the note has the wall's.
"""

import os
import tempfile
import time
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from audioae.api import Library
from audioae.library.filters import Filters
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.search.recall import exact_neighbors, recall_at_k
from audioae.similarity.search import Options
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS
from tests.bench.harness import Row
from tests.search.made import clustered, make_table

N = 100_000
ARTISTS = 5_000
K = 10
QUERIES = 200
SHARD = 1024
OPTIONS = {
    "no option": Options(),
    "one label of 50": Options(Filters(label=["style 7"])),
    "half of the years": Options(Filters(year=(1990, None))),
    "diversity .5, 1 per artist": Options(diversity=0.5, max_per_artist=1),
    "hub correction": Options(hub_correction=True),
}


def measure(n: int = N) -> list[Row]:
    import faiss

    faiss.omp_set_num_threads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        embeddings = clustered(n, seed=1, n_artists=ARTISTS)
        rows = [row for factory in ("auto", "IVF,SQ8") for row in measure_recall(embeddings, factory)]
        return rows + measure_time(make_store(folder, embeddings))


def measure_recall(embeddings: np.ndarray, factory: str) -> list[Row]:
    """Recall@10 of the exact answer among the allowed rows."""
    table = make_table(embeddings)
    index = SearchIndex.build(table, IndexConfig(factory=factory, n_queries=1000))
    embeddings = table.take(table.rows_of(index.ids)).embeddings
    queries = clustered(QUERIES, seed=2, n_artists=ARTISTS)
    far = np.argsort(embeddings @ queries.mean(axis=0))
    rng = np.random.default_rng(0)
    rows = []
    for share in (0.01, 0.1, 0.5):
        count = int(share * len(embeddings))
        for kind, chosen in (("any", rng.permutation(len(embeddings))), ("the farthest", far)):
            allowed = np.sort(chosen[:count])
            scores, found = exact_neighbors(np.ascontiguousarray(embeddings[allowed]), queries, 4 * K)
            truth = scores, np.where(found < 0, -1, allowed[found])
            got, seconds = [], []
            for query in queries:
                start = time.perf_counter()
                got.append(index.search(query[None], K, allowed)[1][0])
                seconds.append(time.perf_counter() - start)
            recall, _ = recall_at_k(np.array(got), truth)
            note = f"{1000 * np.percentile(seconds, 99):.2f} ms p99, {int((np.array(got) < 0).sum())} missing"
            rows.append(Row(f"recall@10 among {share:.0%} ({kind}), {index.factory}", recall, 0.95, "", note))
    return rows


def make_store(folder: str, embeddings: np.ndarray, config: IndexConfig | None = None, shard: int = SHARD) -> Library:
    """A store of tracks without audio, `shard` tracks per part, indexed by `build_index`."""
    store, n = Store(folder), len(embeddings)
    rng = np.random.default_rng(0)
    fields = {field.name: field.type for field in DATASETS["tracks"].schema}
    ids = np.char.add("t", np.char.zfill(np.arange(n).astype(str), 15))
    columns = {
        "track_id": ids,
        "uri": np.char.add("/music/", ids),
        "title": np.char.add("title ", ids),
        "artist": np.char.add("artist ", rng.integers(ARTISTS, size=n).astype(str)),
        "album": np.char.add("album ", rng.integers(4 * ARTISTS, size=n).astype(str)),
        "label": np.char.add("style ", rng.integers(50, size=n).astype(str)),
        "year": rng.integers(1955, 2025, size=n),
        "duration_s": rng.normal(220, 60, size=n).clip(30),
        "shard": np.arange(n) // shard,
        "added_at": [datetime(2026, 1, 1, tzinfo=UTC)] * n,
    }
    known = {name: pa.array(values, fields[name]) for name, values in columns.items()}
    tracks = pa.table(
        {name: known[name] if name in known else pa.nulls(n, kind) for name, kind in fields.items()},
        schema=DATASETS["tracks"].schema,
    )
    kind = DATASETS["embeddings"].schema.field("embedding").type
    values = {
        "track_id": pa.array(ids),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), type=kind),
        "n_clips": pa.array(np.full(n, 24, np.int16)),
        "padded": pa.array(np.zeros(n, bool)),
        "reconstruction_error": pa.array(np.zeros(n, np.float32)),
        "spread": pa.array(np.zeros(n, np.float32)),
    }
    vectors = pa.Table.from_pydict(values, schema=DATASETS["embeddings"].schema)

    def commit(dataset: str, table: pa.Table, *parents: DatasetRef) -> DatasetRef:
        names = [f"{number:06d}-bench" for number in range(-(-table.num_rows // shard))]
        for i, name in enumerate(names):
            store.write_part(dataset, name, table.slice(i * shard, shard))
        return store.commit(dataset, names, recipe="bench", config={}, parents=parents)

    tracks_ref = commit("tracks", tracks)
    health = commit("health", DATASETS["health"].schema.empty_table(), tracks_ref)
    rejects = commit("rejects", DATASETS["rejects"].schema.empty_table(), tracks_ref)
    model = commit_artifact(
        store, "model", {"model.safetensors": b""}, derived={}, recipe="bench", config={}, parents=[tracks_ref]
    )
    ref = commit("embeddings", vectors, tracks_ref, model, health, rejects)
    build_index(store, config or IndexConfig(n_queries=1000), ref)
    return Library(store)


def measure_time(library: Library) -> list[Row]:
    """The slowest hundredth of queries, the first one (which reads the store) not counted."""
    names = library.tracks["track_id"].take(pa.array(np.random.default_rng(3).permutation(library.tracks.num_rows)))
    rows = []
    for name, options in OPTIONS.items():
        library.similar(names[0].as_py(), K, options=options)
        seconds = []
        for i in range(1, QUERIES + 1):
            start = time.process_time(), time.perf_counter()
            answer = library.similar(names[i].as_py(), K, options=options)
            seconds.append((time.process_time() - start[0], time.perf_counter() - start[1]))
            assert len(answer.neighbors) == K
        (cpu, _), (p99, wall_p99) = 1000 * np.percentile(seconds, [50, 99], axis=0)
        label = f"p99 of a query among {library.tracks.num_rows:,}, {name}"
        note = f"median {cpu:.1f} ms; by the wall {wall_p99:.1f} ms at load {os.getloadavg()[0]:.0f}"
        rows.append(Row(label, float(p99), 20.0, "ms", note, higher_is_better=False))
    return rows
