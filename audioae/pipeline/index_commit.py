"""Merge the lists of all shards into an index, measure it as it will be used, and hand over its files.

Conventions
-----------
- Row i of the index is row i of the embeddings. Nothing is held whole: lists and embeddings are read part by part, and
  the file is mapped when it is measured.
- Queries of the training that are still in the catalog are left out of the answers by which recall is measured.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError
from audioae.pipeline.embeddings import COLUMNS, take_embeddings
from audioae.pipeline.index_lists import commit_lists, load_training, read_entries
from audioae.search import engine
from audioae.search.build import TRUTH_DEPTH, tune_and_measure
from audioae.search.embeddings import EmbeddingTable
from audioae.search.entries import Entries, keeps_embeddings
from audioae.search.factory import IndexConfig, n_lists
from audioae.search.gate import SAMPLE, measure_on
from audioae.search.index import SearchIndex, sha256_of, write_ids
from audioae.search.index_file import write_index_file
from audioae.search.training import TrainedIndex, nearest_rows
from audioae.search.tuning import Parameters, parameter_grid
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


class Merged(NamedTuple):
    """An index in files, what its gate measured, and the lists that it was merged from (None: one pass)."""

    files: dict[str, Path]
    index: SearchIndex
    gate: dict
    lists: DatasetRef | None


def merge_index(
    store: Store,
    config: IndexConfig,
    embeddings: DatasetRef,
    training: DatasetRef,
    folder: Path,
    first: Parameters | None = None,
) -> Merged:
    """Write the index over `embeddings` into an empty folder, and measure it.

    `first`: the search parameters of an index over fewer tracks with the same training; tuning begins with them.
    """
    trained, about = load_training(store, training), store.manifest(training).config
    lists = commit_lists(store, embeddings, training)
    vectors, ids = (folder / name for name in SearchIndex.FILES)
    sizes, found = _count(store, lists, n_lists(about["factory"]))
    write_index_file(vectors, trained.index, sizes, lambda: _entries(store, lists, embeddings, trained))
    index, n = engine.read(vectors), int(sizes.sum())
    held = np.sort(_rows_of(store, lists, trained.queries.track_ids))
    truth = nearest_rows(*found, len(trained.queries), TRUTH_DEPTH * config.k)
    settings = parameter_grid(about["factory"], n, config.k, config.fixed())
    parameters, measured = tune_and_measure(
        index, settings, trained.queries.embeddings, truth, config, without=held, first=first
    )
    stated = {name: about[name] for name in ("factory", "reason")} | {"model": trained.queries.model}
    stated |= {"parameters": parameters, "measured": measured, "sha256": sha256_of(vectors)}
    blocks = (table["track_id"].combine_chunks() for table in _read(store, lists, ["track_id"]))
    write_ids(ids, blocks, stated)
    index = SearchIndex.load(vectors, ids, sha256=stated["sha256"])
    gate = measure_on(index, _sample(trained, index), lambda rows: _look_up(store, embeddings, index, rows), config)
    return Merged({vectors.name: vectors, ids.name: ids}, index, gate, lists)


def _count(store: Store, lists: DatasetRef, n: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The sizes of the `n` lists, and the rows, queries and cosines of all possible true neighbors."""
    sizes, start, found = np.zeros(n, np.int64), 0, []
    for table in _read(store, lists, ["list", "queries", "cosines"]):
        sizes += np.bincount(table["list"].to_numpy(), minlength=n)
        per_row = pc.list_value_length(table["queries"]).to_numpy()
        rows = start + np.repeat(np.arange(len(per_row)), per_row)
        found.append((rows, *(pc.list_flatten(table[name]).to_numpy() for name in ("queries", "cosines"))))
        start += table.num_rows
    rows, queries, cosines = (np.concatenate(column) for column in zip(*found, strict=True))
    return sizes, (rows, queries, cosines)


def _entries(store: Store, lists: DatasetRef, embeddings: DatasetRef, trained: TrainedIndex) -> Iterator[Entries]:
    entries = read_entries(_read(store, lists, ["list", "code", "refined"]))
    if not keeps_embeddings(trained.index):
        yield from entries
        return
    vectors = store.read_parts("embeddings", store.manifest(embeddings).parts, COLUMNS)
    for one, table in zip(entries, vectors, strict=True):
        block = EmbeddingTable.from_arrow(table, trained.queries.model)
        yield one._replace(refined=block.embeddings.view(np.uint8))


def _rows_of(store: Store, lists: DatasetRef, track_ids: pa.StringArray) -> np.ndarray:
    """The rows of those of the given tracks that are in the lists, int64."""
    start, rows = 0, []
    for table in _read(store, lists, ["track_id"]):
        rows.append(start + np.flatnonzero(pc.is_in(table["track_id"], value_set=track_ids).to_numpy()))
        start += table.num_rows
    return np.concatenate(rows)


def _sample(trained: TrainedIndex, index: SearchIndex) -> EmbeddingTable:
    """Queries that are in the index: tracks chosen at random."""
    here = pc.is_in(trained.queries.track_ids, value_set=index.ids).to_numpy(zero_copy_only=False)
    if not here.any():
        raise SearchError("none of the queries is in the catalog any more; set another index.seed")
    return trained.queries.take(np.flatnonzero(here)[:SAMPLE])


def _look_up(store: Store, embeddings: DatasetRef, index: SearchIndex, rows: np.ndarray) -> np.ndarray:
    """Embeddings of the tracks that the IDs of some rows name."""
    table = take_embeddings(store, embeddings, rows)
    return table.embeddings[table.rows_of(index.ids.take(pa.array(rows)))]


def _read(store: Store, lists: DatasetRef, columns: list[str]) -> Iterator[pa.Table]:
    return store.read_parts("index_lists", store.manifest(lists).parts, columns)
