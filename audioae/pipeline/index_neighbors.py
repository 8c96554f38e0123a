"""What is computed once per index about each track's surroundings: its radius, and what it is a duplicate of.

Conventions
-----------
- `neighborhood.parquet` is a derived file of the index's version. Its columns: `track_id`, in the order of the catalog;
  `radius`, the mean cosine to the 10 nearest others; `duplicate_group`, the first track of the catalog
  among its near duplicates, null where there are none; `similarity`, the best correlation with one of them.
- Indexes from before have no such file: their tracks have no radius, and only exact duplicates are known.

Why beside the index, and not a dataset of its own: it is a function of the index's own embeddings, needs its neighbors,
and must never be read beside another version.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import
import pyarrow.parquet as pq

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
    """Radii and near-duplicate groups of the tracks of an index.

    Parameters
    ----------
    store : Store
    index : SearchIndex
    table : EmbeddingTable
        What the index was built from, in the order of the catalog.
    embeddings : DatasetRef
        The version of `table`: it names the tracks, the health and the settings that its mels were made with.
    """
    from audioae.audio.fingerprint import candidate_pairs, connected_groups

    ids = table.track_ids.to_pylist()
    scores, rows = nearest_others(index, table)
    pairs = candidate_pairs(scores, rows, _durations(store, embeddings, ids))
    fingerprints = read_fingerprints(store, embeddings, {ids[row] for row in pairs.ravel().tolist()})
    same = np.array([_sameness(fingerprints, ids[a], ids[b]) for a, b in pairs.tolist()], np.float32)
    pairs, same = pairs[same > 0], same[same > 0]
    best = np.zeros(len(ids), np.float32)
    np.maximum.at(best, pairs, same[:, None])
    first = connected_groups(len(ids), pairs)
    columns = [
        table.track_ids,
        pa.array(_radii(scores, rows)),
        pa.array(
            [ids[row] if known else None for row, known in zip(first.tolist(), best > 0, strict=True)], pa.string()
        ),
        pa.array(best, mask=best == 0),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def nearest_others(index: SearchIndex, table: EmbeddingTable, k: int = K) -> tuple[np.ndarray, np.ndarray]:
    """Scores and rows (those of `table`) of each track's k nearest others, (n, k), row -1 where there are fewer."""
    own_rows = table.rows_of(index.ids)
    parts = []
    for start in range(0, len(table), BLOCK):
        scores, rows = index.search(table.embeddings[start : start + BLOCK], k + 1)
        rows = np.where(rows < 0, -1, own_rows[rows])
        own = rows == np.arange(start, start + len(rows))[:, None]
        own[~own.any(axis=1), -1] = True  # not found, among many of one embedding: the last makes room
        parts.append((scores[~own].reshape(-1, k), rows[~own].reshape(-1, k)))
    return np.concatenate([scores for scores, _ in parts]), np.concatenate([rows for _, rows in parts])


def read_fingerprints(store: Store, embeddings: DatasetRef, track_ids: Iterable[str]) -> "dict[str, Fingerprint]":
    """Fingerprints of some tracks, from stored mels where they are, else from their files; none of what fails."""
    wanted = set(track_ids)
    if not wanted:
        return {}
    from audioae.audio.extract import extract
    from audioae.audio.fingerprint import fingerprint_clips
    from audioae.audio.workers import imap_killable

    manifest = store.manifest(embeddings)
    tracks = manifest.parent("tracks")
    config = parse_config(MelsConfig, manifest.config["mels"], where=str(embeddings))
    stored = iter_stored_clips(store, tracks, config, shards_of(store, tracks, wanted))
    fingerprints = {track_id: fingerprint_clips(clips.codes, clips.starts_s) for track_id, clips in stored}
    table = store.read(tracks, ["track_id", "uri"])
    missing = table.filter(pc.is_in(table["track_id"], value_set=pa.array(wanted - fingerprints.keys(), pa.string())))
    files = ((row["track_id"], (row["uri"], config.clips, config.decode)) for row in missing.to_pylist())
    workers = Workers()
    for track_id, result in imap_killable(extract, files, workers=workers.n, timeout_s=workers.timeout_s):
        if not isinstance(result, AudioError):
            fingerprints[str(track_id)] = fingerprint_clips(result.codes, result.starts_s)
    return fingerprints


def index_neighbors_bytes(table: pa.Table) -> bytes:
    """The content of `FILE`."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def read_index_neighbors(store: Store, index: DatasetRef) -> pa.Table | None:
    """What was measured when `index` was built; None for an index from before."""
    if not any(part.name.endswith(f"/{FILE}") for part in store.manifest(index).parts):
        return None
    return pq.read_table(io.BytesIO(read_artifact(store, index, FILE)))


def _sameness(fingerprints: "Mapping[str, Fingerprint]", one: str, other: str) -> float:
    """Of two tracks that are the same recording; 0 if they are not, or one could not be read."""
    from audioae.audio.fingerprint import is_same, similarity

    a, b = fingerprints.get(one), fingerprints.get(other)
    return similarity(a, b) if a is not None and b is not None and is_same(a, b) else 0.0


def _radii(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    present = rows >= 0
    return (np.where(present, scores, 0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)).astype(np.float32)


def _durations(store: Store, embeddings: DatasetRef, track_ids: Sequence[str]) -> np.ndarray:
    """Seconds by the decoder, shape (n,), NaN where they are not known."""
    health = store.read(store.manifest(embeddings).parent("health"), ["track_id", "duration_s"])
    seconds = dict(zip(health["track_id"].to_pylist(), health["duration_s"].to_pylist(), strict=True))
    return np.array([seconds.get(track_id) for track_id in track_ids], float)
