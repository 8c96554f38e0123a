"""Stage catalog: the files of the source become a version of `tracks`.

Conventions
-----------
- A known track keeps its track_id, its shard and its `added_at`, also if its file was moved (see `identity.py` and
  `sharding.py`). An unchanged shard gives the same part.
- Among byte-identical tracks, the one that was kept before is kept, or else the first (lowest shard, then lowest
  track_id). The others name it in `duplicate_of` and are not decoded.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.losses import check_losses
from audioae.catalog.scan import CatalogConfig, scan
from audioae.config import fingerprint
from audioae.pipeline.identity import match_tracks, track_ids
from audioae.pipeline.sharding import known_shards, merge_small, place_new
from audioae.pipeline.shards import part_fingerprint
from audioae.progress import Advance
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import TRACKS

TAGS_SINCE = 3  # the schema version since which all columns are read from tags
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
    reread = not config.reads_as(before)
    retag = bool(latest) and not config.is_manifest and store.manifest(latest).schema_version < TAGS_SINCE
    scanned = scan(config, known, on_progress, reread=reread, retag=retag)
    check_losses(config, known, scanned, before.get("source", ""))
    tracks = _mark_duplicates(_identified(scanned, known, config))
    fingerprints = []
    for part in _by_shard(tracks):
        fingerprints.append(part_fingerprint(part["shard"][0].as_py(), [CODE, _hash(part)]))
        store.write_part("tracks", fingerprints[-1], part)
    return store.commit("tracks", fingerprints, recipe=fingerprint([fingerprints, settings]), config=settings)


def _identified(scanned: pa.Table, known: pa.Table, config: CatalogConfig) -> pa.Table:
    """Add `shard` and `was_kept`; known tracks keep their track_id and `added_at`."""
    rows = match_tracks(scanned, known)
    limits = {"shard_tracks": config.shard_tracks, "min_shards": config.min_shards}
    first_free = 1 + int(pc.max(known["shard"]).as_py()) if known.num_rows else 0
    shards = merge_small(place_new(known_shards(scanned, known, rows), first_free, **limits), **limits)
    added_at = pc.coalesce(known["added_at"].take(pa.array(rows, mask=rows < 0)), scanned["added_at"])
    was_kept = pc.is_null(known["duplicate_of"]).take(pa.array(rows, mask=rows < 0))
    table = scanned.append_column("shard", pa.array(shards.astype(np.int32))).append_column("was_kept", was_kept)
    for name, values in (("track_id", track_ids(scanned, known, rows)), ("added_at", added_at)):
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table


def _mark_duplicates(tracks: pa.Table) -> pa.Table:
    """Sort by shard and track_id, and add `duplicate_of`."""
    tracks = tracks.sort_by([("shard", "ascending"), ("track_id", "ascending")]).combine_chunks()
    order = np.argsort(~pc.fill_null(tracks["was_kept"], False).to_numpy().astype(bool), kind="stable")
    content = tracks["content_hash"]
    first = pc.index_in(content, value_set=content.take(pa.array(order)).combine_chunks(), skip_nulls=True)
    keeper = pa.array(order).take(first.combine_chunks())
    is_copy = pc.fill_null(pc.not_equal(keeper, pa.array(np.arange(tracks.num_rows))), False)
    duplicate_of = tracks["track_id"].take(pc.if_else(is_copy, keeper, pa.scalar(None, pa.int64())))
    return tracks.append_column("duplicate_of", duplicate_of).select(TRACKS.names).cast(TRACKS)


def _by_shard(tracks: pa.Table) -> Iterator[pa.Table]:
    """The tracks of each shard; they are sorted by shard."""
    shards = tracks["shard"].to_numpy()
    starts = np.flatnonzero(np.diff(shards, prepend=-1))
    for start, stop in zip(starts, np.append(starts[1:], len(shards)), strict=True):
        yield tracks.take(pa.array(np.arange(start, stop)))


def _hash(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()
