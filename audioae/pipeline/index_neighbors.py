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
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import
import pyarrow.parquet as pq

from audioae.catalog.paths import path_of
from audioae.config import parse_config
from audioae.errors import AudioError
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.stored_clips import iter_stored_clips, shards_of
from audioae.search.embeddings import EmbeddingTable
from audioae.search.index import SearchIndex
from audioae.store.artifacts import read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.audio.fingerprint import Fingerprint

FILE = "neighborhood.parquet"
K = 10
BLOCK = 1 << 14
SCHEMA = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("radius", pa.float32(), nullable=False),
        pa.field("duplicate_group", pa.string()),
        pa.field("sameness", pa.float32()),
    ]
)


def measure_index_neighbors(
    store: Store, index: SearchIndex, table: EmbeddingTable, embeddings: DatasetRef
) -> pa.Table:
    """The content of `neighborhood.parquet` for an index.

    Parameters
    ----------
    store : Store
    index : SearchIndex
    table : EmbeddingTable
        The embeddings that the index was built from.
    embeddings : DatasetRef
        The version of `table`, for its tracks, durations and stored clips.
    """
    from audioae.audio.fingerprint import candidate_pairs, connected_groups

    ids = table.track_ids.to_pylist()
    scores, rows = nearest_others(index, table)
    pairs = candidate_pairs(scores, rows, _durations(store, embeddings, ids))
    fingerprints = read_fingerprints(store, embeddings, {ids[row] for row in pairs.ravel().tolist()})
    similarities = np.array([_similarity(fingerprints, ids[a], ids[b]) for a, b in pairs.tolist()], np.float32)
    pairs, similarities = pairs[similarities > 0], similarities[similarities > 0]
    highest = np.zeros(len(ids), np.float32)
    np.maximum.at(highest, pairs, similarities[:, None])
    first = pa.array(connected_groups(len(ids), pairs), mask=highest == 0)
    columns = [
        table.track_ids,
        pa.array(mean_knn_cosine(scores, rows)),
        table.track_ids.take(first),
        pa.array(highest, mask=highest == 0),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def nearest_others(index: SearchIndex, table: EmbeddingTable, k: int = K) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest other tracks of each track: scores and rows of `table`, each (n, k); -1 where there are fewer."""
    table_rows = table.rows_of(index.ids)
    parts = []
    for start in range(0, len(table), BLOCK):
        scores, rows = index.search(table.embeddings[start : start + BLOCK], k + 1)
        rows = np.where(rows < 0, -1, table_rows[rows])
        itself = rows == np.arange(start, start + len(rows))[:, None]
        itself[~itself.any(axis=1), -1] = True  # more than k tracks have its embedding: drop the last neighbor instead
        parts.append((scores[~itself].reshape(-1, k), rows[~itself].reshape(-1, k)))
    return np.concatenate([scores for scores, _ in parts]), np.concatenate([rows for _, rows in parts])


def mean_knn_cosine(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The mean score of each track's neighbors, shape (n,), float32, from the two arrays of `nearest_others`.

    >>> mean_knn_cosine(np.array([[0.5, 0.25], [0.5, -np.inf]]), np.array([[3, 4], [2, -1]])).tolist()
    [0.375, 0.5]
    """
    present = rows >= 0
    return (np.where(present, scores, 0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)).astype(np.float32)


def read_fingerprints(store: Store, embeddings: DatasetRef, track_ids: Iterable[str]) -> "dict[str, Fingerprint]":
    """Fingerprints of some tracks, from stored clips or else from their files; without tracks that fail to decode."""
    wanted = set(track_ids)
    if not wanted:
        return {}
    from audioae.audio.fingerprint import fingerprint_clips, fingerprint_file
    from audioae.audio.workers import imap_killable

    manifest = store.manifest(embeddings)
    tracks = manifest.parent("tracks")
    config = parse_config(MelsConfig, manifest.config["mels"], where=str(embeddings))
    stored = iter_stored_clips(store, tracks, config, shards_of(store, tracks, wanted))
    fingerprints = {track_id: fingerprint_clips(clips.codes, clips.starts_s) for track_id, clips in stored}
    table = store.read(tracks, ["track_id", "uri", "path_bytes"])
    missing = table.filter(pc.is_in(table["track_id"], value_set=pa.array(wanted - fingerprints.keys(), pa.string())))
    files = ((row["track_id"], (path_of(row), config.clips, config.decode)) for row in missing.to_pylist())
    workers = Workers()
    for track_id, result in imap_killable(fingerprint_file, files, workers=workers.n, timeout_s=workers.timeout_s):
        if not isinstance(result, AudioError):
            fingerprints[str(track_id)] = result
    return fingerprints


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


def _similarity(fingerprints: "Mapping[str, Fingerprint]", one: str, other: str) -> float:
    """The similarity of two tracks that are the same recording; 0 if they are not, or one of them was not decoded."""
    from audioae.audio.fingerprint import is_same, similarity

    a, b = fingerprints.get(one), fingerprints.get(other)
    return similarity(a, b) if a is not None and b is not None and is_same(a, b) else 0.0


def _durations(store: Store, embeddings: DatasetRef, track_ids: Sequence[str]) -> np.ndarray:
    """Durations in seconds according to the decoder, shape (n,), float64; NaN if unknown."""
    health = store.read(store.manifest(embeddings).parent("health"), ["track_id", "duration_s"])
    seconds = dict(zip(health["track_id"].to_pylist(), health["duration_s"].to_pylist(), strict=True))
    return np.array([seconds.get(track_id) for track_id in track_ids], float)
