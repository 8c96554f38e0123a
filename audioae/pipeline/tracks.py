"""Stage catalog: the files of the source become a version of `tracks`.

Conventions
-----------
- A known track keeps its shard and its `added_at`; new tracks go into new shards; a removed track leaves its shard
  smaller. An unchanged shard gives the same part.
- Among byte-identical tracks, the first one (lowest shard, then lowest track_id) is kept. The others name it in
  `duplicate_of` and are not decoded.
"""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.losses import check_losses
from audioae.catalog.scan import CatalogConfig, scan
from audioae.config import fingerprint
from audioae.pipeline.shards import part_fingerprint, shard_size
from audioae.progress import Advance
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import TRACKS

CODE = 1  # raise it when the same source would give different rows


def update_tracks(store: Store, config: CatalogConfig, on_progress: Advance | None = None) -> DatasetRef:
    """Scan the source and publish `tracks`; files that have not changed since the last version are not read again.

    Raises
    ------
    ConfigError
        If the source does not exist, holds no audio, does not match the config, or lost more tracks than
        `config.max_loss` allows.
    """
    latest = store.latest("tracks")
    known = store.read(latest) if latest else TRACKS.empty_table()
    settings = config.model_dump(mode="json", exclude={"max_loss"})
    before = store.manifest(latest).config if latest else {}
    # Other settings may take labels from elsewhere, so known rows are then read again.
    scanned = scan(config, known, on_progress, reread=before != settings)
    check_losses(config, known, scanned, before.get("source", ""))
    tracks = _mark_duplicates(_assign_shards(scanned, known, config))
    fingerprints = []
    for shard in np.unique(tracks["shard"].to_numpy()).tolist():
        part = tracks.filter(pc.equal(tracks["shard"], shard))
        fingerprints.append(part_fingerprint(shard, [CODE, _hash(part)]))
        store.write_part("tracks", fingerprints[-1], part)
    return store.commit("tracks", fingerprints, recipe=fingerprint([fingerprints, settings]), config=settings)


def _assign_shards(scanned: pa.Table, known: pa.Table, config: CatalogConfig) -> pa.Table:
    """Add `shard`: the known one, or a new one in the order of `scanned`; known tracks keep their `added_at`."""
    row = pc.index_in(scanned["track_id"], value_set=known["track_id"].combine_chunks())
    shard = known["shard"].take(row).to_numpy(zero_copy_only=False).astype(np.float64)
    new = np.flatnonzero(np.isnan(shard))
    first = 1 + int(pc.max(known["shard"]).as_py()) if known.num_rows else 0
    size = shard_size(len(new), shard_tracks=config.shard_tracks, min_shards=config.min_shards)
    shard[new] = first + np.arange(len(new)) // size
    added_at = pc.coalesce(known["added_at"].take(row), scanned["added_at"])
    table = scanned.set_column(scanned.schema.get_field_index("added_at"), "added_at", added_at)
    return table.append_column("shard", pa.array(shard.astype(np.int32)))


def _mark_duplicates(tracks: pa.Table) -> pa.Table:
    """Sort by shard and track_id, and add `duplicate_of`."""
    tracks = tracks.sort_by([("shard", "ascending"), ("track_id", "ascending")])
    by_hash: dict[str, str] = {}
    duplicate_of = [
        keeper if content is not None and (keeper := by_hash.setdefault(content, track_id)) != track_id else None
        for content, track_id in zip(tracks["content_hash"].to_pylist(), tracks["track_id"].to_pylist(), strict=True)
    ]
    return tracks.append_column("duplicate_of", pa.array(duplicate_of, pa.string())).select(TRACKS.names).cast(TRACKS)


def _hash(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()
