"""Two properties of each track that need its neighbors in the index: the mean cosine to them, and its near duplicates.

Conventions
-----------
- `neighborhood.parquet` is a derived file of an index. Its columns keep their first names, so that old stores can be
  read: `track_id`, in the order of the embeddings; `radius`, the mean cosine to the 10 nearest other tracks;
  `duplicate_group`, the first track among its near duplicates, null if it has none; `sameness`, the highest similarity
  to one of them, null if it has none.
- Indexes older than this file have no hub correction, and only their byte-identical duplicates are known.

Why a file of the index and not a dataset: it is computed from the embeddings and the neighbors of exactly this index,
and must never be read with another version.
"""

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import
import pyarrow.parquet as pq

from audioae.pipeline.config import Workers
from audioae.pipeline.embeddings import COLUMNS, model_of
from audioae.pipeline.fingerprints import same_recordings
from audioae.pipeline.known_neighbors import KnownNeighbors, nothing_known, take_over
from audioae.pipeline.shards import shard_of
from audioae.search.embeddings import EmbeddingTable
from audioae.search.index import SearchIndex
from audioae.store.artifacts import read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

FILE = "neighborhood.parquet"
K = 10
BLOCK = 1 << 14
AMONG = "among"  # metadata: the smallest number of tracks among which a radius was measured
SCHEMA = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("radius", pa.float32(), nullable=False),
        pa.field("duplicate_group", pa.string()),
        pa.field("sameness", pa.float32()),
    ]
)


def measure_index_neighbors(
    store: Store, index: SearchIndex, embeddings: DatasetRef, workers: Workers, *, before: DatasetRef | None = None
) -> pa.Table:
    """The content of `neighborhood.parquet` for an index.

    Parameters
    ----------
    store : Store
    index : SearchIndex
    embeddings : DatasetRef
        The version that the index was built from.
    workers : Workers
        How tracks are decoded whose clips are not stored.
    before : DatasetRef, optional
        An index of the same kind over an earlier version, whose measurements are taken over where they still count.
    """
    from audioae.audio.fingerprint import candidate_pairs, connected_groups

    track_ids, table_rows = _ids_and_rows(store, index, embeddings)
    durations_s, n = _durations(store, embeddings), len(index)
    known = _known(store, before, embeddings) if before else nothing_known(n)
    radius, pairs = known.radius, [np.empty((0, 2), np.int64)]
    for own, vectors in _unknown(store, embeddings, radius):
        scores, rows = nearest_others(index, vectors, own, table_rows)
        radius[own] = mean_knn_cosine(scores, rows)
        pairs.append(candidate_pairs(scores, rows, durations_s, own))
    candidates = np.unique(np.concatenate(pairs), axis=0)
    same, similarities = same_recordings(store, embeddings, track_ids, candidates, workers)
    same, similarities = np.concatenate([known.pairs, same]), np.concatenate([known.similarities, similarities])
    highest = np.zeros(n, np.float32)
    np.maximum.at(highest, same, similarities[:, None])
    first = pa.array(connected_groups(n, same), mask=highest == 0)
    columns = [track_ids, pa.array(radius), track_ids.take(first), pa.array(highest, mask=highest == 0)]
    return pa.Table.from_arrays(columns, schema=SCHEMA).replace_schema_metadata({AMONG: str(known.among)})


def _known(store: Store, before: DatasetRef, embeddings: DatasetRef) -> KnownNeighbors:
    """What an earlier index knows of the tracks in `embeddings`."""
    earlier, now = store.manifest(before).parent("embeddings"), store.manifest(embeddings).parts
    table = read_index_neighbors(store, before)
    if table is None:
        return nothing_known(sum(part.rows or 0 for part in now))
    among = int((table.schema.metadata or {}).get(AMONG.encode(), table.num_rows))
    return take_over(table, among, store.manifest(earlier).parts, now)


def _unknown(store: Store, embeddings: DatasetRef, radius: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows whose radius is unknown, and their embeddings, part by part."""
    parts = store.manifest(embeddings).parts
    starts = np.cumsum([0, *(part.rows or 0 for part in parts)]).tolist()
    todo = [(part, start) for part, start in zip(parts, starts, strict=False) if part.rows and np.isnan(radius[start])]
    tables = store.read_parts("embeddings", [part for part, _ in todo], COLUMNS)
    for (_, start), table in zip(todo, tables, strict=True):
        block = EmbeddingTable.from_arrow(table, model_of(store, embeddings))
        yield np.arange(start, start + len(block)), block.embeddings


def nearest_others(
    index: SearchIndex, embeddings: np.ndarray, own: np.ndarray, table_rows: np.ndarray | None = None, k: int = K
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest other tracks of some tracks of an index.

    Parameters
    ----------
    index : SearchIndex
    embeddings : np.ndarray, shape (n, dim)
    own : np.ndarray, shape (n,), int64
        The row of each of these tracks in the table.
    table_rows : np.ndarray, shape (n_index,), int64, optional
        The row in the table of each row of the index; default: the same.
    k : int

    Returns
    -------
    scores, rows : np.ndarray, each of shape (n, k)
        Rows of the table; -1 where there are fewer.
    """
    scores, rows = index.search(embeddings, k + 1)
    if table_rows is not None:
        rows = np.where(rows < 0, -1, table_rows[rows])
    itself = rows == own[:, None]
    itself[~itself.any(axis=1), -1] = True  # more than k tracks have its embedding: drop the last neighbor instead
    return scores[~itself].reshape(len(rows), k), rows[~itself].reshape(len(rows), k)


def mean_knn_cosine(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The mean score of each track's neighbors, shape (n,), float32, from the two arrays of `nearest_others`.

    >>> mean_knn_cosine(np.array([[0.5, 0.25], [0.5, -np.inf]]), np.array([[3, 4], [2, -1]])).tolist()
    [0.375, 0.5]
    """
    present = rows >= 0
    return (np.where(present, scores, 0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)).astype(np.float32)


def index_neighbors_bytes(table: pa.Table) -> bytes:
    """`neighborhood.parquet` as bytes."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def read_index_neighbors(store: Store, index: DatasetRef) -> pa.Table | None:
    """The table of `neighborhood.parquet`; None for an index that is older than this file."""
    if not any(part.name.endswith(f"/{FILE}") for part in store.manifest(index).parts):
        return None
    return pq.read_table(pa.BufferReader(read_artifact(store, index, FILE)))


def _ids_and_rows(store: Store, index: SearchIndex, embeddings: DatasetRef) -> tuple[pa.StringArray, np.ndarray | None]:
    """The track IDs in the order of the embeddings, and where in it each row of the index is (None: in its place)."""
    parts = store.read_parts("embeddings", store.manifest(embeddings).parts, ["track_id"])
    ids = pa.concat_arrays([chunk for table in parts for chunk in table["track_id"].chunks])
    if ids.equals(index.ids):
        return index.ids, None
    return ids, pc.index_in(index.ids, value_set=ids).to_numpy().astype(np.int64)


def _durations(store: Store, embeddings: DatasetRef) -> np.ndarray:
    """Durations in seconds according to the decoder, in the order of the embeddings, float64; NaN if unknown.

    The evidence on a track is in the part of its shard: one shard is looked up at a time.
    """
    manifest = store.manifest(embeddings)
    evidence = {shard_of(part.name): part for part in store.manifest(manifest.parent("health")).parts}
    seconds = []
    for part, table in zip(manifest.parts, store.read_parts("embeddings", manifest.parts, ["track_id"]), strict=True):
        found = np.full(table.num_rows, np.nan)
        if known := evidence.get(shard_of(part.name)):
            health = next(store.read_parts("health", [known], ["track_id", "duration_s"]))
            rows = pc.index_in(table["track_id"], value_set=health["track_id"].combine_chunks())
            found = health["duration_s"].take(rows).to_numpy().astype(np.float64)
        seconds.append(found)
    return np.concatenate([np.empty(0), *seconds])
