"""A trained index without entries, and the queries that will measure it: what every machine needs to fill its lists.

Conventions
-----------
- The queries are tracks of the catalog, chosen at random and not trained on. They are in the index like all others, and
  are left out of every answer that is measured.
- A query's true neighbors are found while the lists are filled: each block of embeddings is compared with all queries,
  and what is as close as the `TRUTH_DEPTH * k`-th nearest of the training sample is kept. The sample is part of the
  catalog, so nothing that belongs to the `TRUTH_DEPTH * k` nearest is missed.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import SearchError
from audioae.search import engine
from audioae.search.build import TRUTH_DEPTH, choose, n_held
from audioae.search.embeddings import EmbeddingTable
from audioae.search.entries import coarse_distances
from audioae.search.factory import IndexConfig
from audioae.search.lazy_faiss import load_faiss
from audioae.search.recall import TIE, exact_neighbors
from audioae.search.tuning import parameter_grid

COMPARED = 1 << 13  # rows compared with all queries at once: 64 MiB of scores for 2,000 queries


@dataclass(frozen=True, eq=False)
class TrainedIndex:
    """A trained index and its queries.

    Parameters
    ----------
    index : faiss.Index
        Trained, without entries.
    queries : EmbeddingTable
    bounds : np.ndarray, shape (n_queries,), float32
        A true neighbor of a query has this cosine, or a higher one.
    """

    index: Any
    queries: EmbeddingTable
    bounds: np.ndarray

    FILES = ("trained.faiss", "queries.parquet")

    def quantization_error(self, embeddings: np.ndarray) -> float:
        """Mean squared distance of embeddings to the centers of their lists."""
        return float(coarse_distances(self.index, embeddings).mean())

    def to_bytes(self) -> dict[str, bytes]:
        """The contents of `FILES`."""
        table = pa.table(
            {
                "track_id": self.queries.track_ids,
                "embedding": pa.FixedSizeListArray.from_arrays(
                    pa.array(self.queries.embeddings.ravel()), self.queries.dim
                ),
                "bound": pa.array(self.bounds),
            },
            metadata={"model": self.queries.model},
        )
        pq.write_table(table, sink := io.BytesIO())
        return dict(zip(self.FILES, (load_faiss().serialize_index(self.index).tobytes(), sink.getvalue()), strict=True))

    @classmethod
    def from_bytes(cls, index: bytes, queries: bytes) -> "TrainedIndex":
        """What `to_bytes` wrote."""
        table = pq.read_table(pa.BufferReader(queries))
        model = (table.schema.metadata or {})[b"model"].decode()
        trained = load_faiss().deserialize_index(np.frombuffer(index, np.uint8))
        return cls(trained, EmbeddingTable.from_arrow(table, model), table["bound"].to_numpy())


def train_on(sample: EmbeddingTable, n: int, config: IndexConfig) -> TrainedIndex:
    """Train the index of `n` embeddings on a uniform sample of them in random order; its first rows become queries.

    Raises
    ------
    SearchError
        If the sample is too small, or the config has search parameters that the index does not have.
    """
    factory, _ = choose(n, sample.dim, config)
    parameter_grid(factory, n, config.k, config.fixed())
    held = n_held(n, config)
    if len(sample) <= held:
        raise SearchError(f"sample: got {len(sample)} tracks, wanted {held} for queries and more for training")
    index, rest = engine.empty_index(factory, sample.dim), sample.embeddings[held:]
    engine.train(index, rest, factory)
    queries = sample.take(np.arange(held))
    bounds = exact_neighbors(rest, queries.embeddings, TRUTH_DEPTH * config.k)[0][:, -1]
    return TrainedIndex(index, queries, bounds)


def near_queries(trained: TrainedIndex, table: EmbeddingTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a table that may be true neighbors of a query: (rows, queries, scores), by row; queries are left out."""
    found = []
    kept = np.isin(np.arange(len(table)), table.places_of(trained.queries.track_ids), invert=True)
    for start in range(0, len(table), COMPARED):
        block = slice(start, start + COMPARED)
        scores = table.embeddings[block] @ trained.queries.embeddings.T
        rows, queries = np.nonzero((scores >= trained.bounds - TIE) & kept[block, None])
        found.append((rows + start, queries, scores[rows, queries]))
    rows, queries, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    return rows, queries.astype(np.int32), scores


def nearest_rows(
    rows: np.ndarray, queries: np.ndarray, scores: np.ndarray, n_queries: int, depth: int
) -> tuple[np.ndarray, np.ndarray]:
    """The `depth` nearest rows of each query among those that `near_queries` found: scores and rows, as for recall.

    >>> nearest_rows(np.array([5, 9, 7]), np.array([0, 0, 1]), np.array([0.5, 0.75, 0.25]), 2, 2)[1].tolist()
    [[9, 5], [7, -1]]
    """
    order = np.lexsort((rows, -scores, queries))
    rows, queries, scores = rows[order], queries[order], scores[order]
    rank = np.arange(len(rows)) - np.searchsorted(queries, queries)
    best = rank < depth
    truth = np.full((n_queries, depth), -np.inf, np.float32), np.full((n_queries, depth), -1, np.int64)
    for column, values in zip(truth, (scores, rows), strict=True):
        column[queries[best], rank[best]] = values[best]
    return truth
