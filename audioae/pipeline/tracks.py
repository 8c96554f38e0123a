"""Stage catalog: the files of the source become a version of `tracks`.

Conventions
-----------
- A known track keeps its track_id, its shard and its `added_at`, also if its file was moved (see `identity.py` and
  `sharding.py`). An unchanged shard gives the same part.
- Among byte-identical tracks, the one that was kept before is kept, or else the first (lowest shard, then lowest
  track_id). The others name it in `duplicate_of` and are not decoded.
- What needs the whole catalog is done in a temporary database (`catalog.database`), the rest in blocks of rows: memory
  does not grow with the catalog, but for 4 bytes a track.
- A scan that was killed goes on with the files that it had not read (`scans.py`), and the scan of a source in which
  nothing has changed ends when it is listed.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from audioae.catalog.claims import spellings
from audioae.catalog.database import Database
from audioae.catalog.listing import Listed, keep_unreadable, list_source
from audioae.catalog.losses import check_losses
from audioae.catalog.rows import respelled
from audioae.catalog.scan import SCANNED, CatalogConfig, Scan, scan_listing
from audioae.config import fingerprint
from audioae.pipeline.identity import identify_tracks
from audioae.pipeline.known_tracks import load_known
from audioae.pipeline.scans import Scans
from audioae.pipeline.sharding import known_shards, merge_small, place_new
from audioae.pipeline.tracks_by_shard import Spool, write_by_shard
from audioae.progress import Advance
from audioae.store.cache import cache_folder
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Manifest
from audioae.store.schemas import schema_of

TAGS_SINCE = 3  # the schema version since which all columns are read from tags
CODE = 1  # raise it when the same source would give different rows

_NARROW = ["pos", "track_id", "uri", "content_hash", "audio_hash"]


def update_tracks(store: Store, config: CatalogConfig, on_progress: Advance | None = None) -> DatasetRef:
    """Scan the source and publish `tracks`; files that have not changed since the last version are not read again.

    Raises
    ------
    ConfigError
        If the source does not exist, holds no audio, does not match the config, or lost more tracks than
        `config.max_loss` allows.
    """
    latest = store.latest("tracks")
    before = store.manifest(latest) if latest else None
    settings = config.model_dump(mode="json", exclude={"max_loss"})
    scans = Scans(store, config, [CODE, settings])
    if latest and scans.is_unchanged_manifest(latest):
        return latest
    with Database(cache_folder()) as db:
        listed = list_source(db, config)
        if latest and scans.is_unchanged(listed, latest):
            if on_progress:
                on_progress(listed.n_files, listed.n_files)
            return latest
        labels = load_known(db, store, latest, config)
        keep_unreadable(db, config, listed)
        scan, spool = Scan(), Spool(db.folder / "scanned.arrow")
        for block in _scanned(db, config, listed, scan, scans, before, on_progress):
            _add(db, spool, block)
        check_losses(db, config, str(before.config.get("source", "")) if before else "")
        place_tracks(db, config, listed)
        shown = spellings(scan.labels, labels)
        blocks = (respelled(block, shown) for block in spool.blocks())
        fingerprints = write_by_shard(store, blocks, db, CODE)
        ref = _publish(store, config, settings, before, fingerprints)
    scans.finish(listed, scan, ref)
    return ref


def _scanned(
    db: Database,
    config: CatalogConfig,
    listed: Listed,
    scan: Scan,
    scans: Scans,
    before: Manifest | None,
    on_progress: Advance | None,
) -> Iterator[pa.Table]:
    # Other settings may take labels from elsewhere, so known rows are then read again.
    reread = not config.reads_as(before.config if before else {})
    retag = before is not None and not config.is_manifest and before.schema_version < TAGS_SINCE
    scans.load(db)
    return scan_listing(db, config, listed, scan, reread=reread, retag=retag, save=scans.save, on_progress=on_progress)


def _add(db: Database, spool: Spool, block: pa.Table) -> None:
    """Put the columns that are needed all at once into the table `scanned`, and all columns on the disk."""
    if not spool.n_rows:
        db.create("scanned", pa.schema([("pos", pa.int64()), *(SCANNED.field(name) for name in _NARROW[1:])]))
    positions = pa.array(np.arange(spool.n_rows, spool.n_rows + len(block)))
    db.insert("scanned", block.append_column("pos", positions).select(_NARROW))
    spool.add(block)


def place_tracks(db: Database, config: CatalogConfig, listed: Listed) -> None:
    """Make the table `placed`: of each scanned file its shard and track_id, and whose exact duplicate it is."""
    identify_tracks(db, listed.own_ids)
    limits = {"shard_tracks": config.shard_tracks, "min_shards": config.min_shards}
    first_free = 1 + db.value("SELECT coalesce(max(shard), -1) FROM known")
    shards = merge_small(place_new(known_shards(db, listed.n_files), first_free, **limits), **limits)
    placed = pa.schema([("pos", pa.int64()), ("shard", pa.int32())])
    db.create("shards", placed)
    for start in range(0, len(shards), 1 << 18):
        rows = shards[start : start + (1 << 18)].astype(np.int32)
        db.insert("shards", pa.table([np.arange(start, start + len(rows)), rows], schema=placed))
    db.run(
        """
        CREATE OR REPLACE TABLE copies AS SELECT content_hash FROM identified WHERE content_hash IS NOT NULL
        GROUP BY content_hash HAVING count(*) > 1;
        CREATE OR REPLACE TABLE keepers AS
        SELECT content_hash, first(track_id ORDER BY coalesce(was_kept, false) DESC, shards.shard, track_id) AS keeper
        FROM identified SEMI JOIN copies USING (content_hash) JOIN shards USING (pos) GROUP BY content_hash;
        CREATE OR REPLACE TABLE placed AS
        SELECT pos, shards.shard, track_id, added_at, CASE WHEN keeper <> track_id THEN keeper END AS duplicate_of
        FROM identified JOIN shards USING (pos) LEFT JOIN keepers USING (content_hash)
        """
    )


def _publish(
    store: Store, config: CatalogConfig, settings: dict, before: Manifest | None, fingerprints: list[str]
) -> DatasetRef:
    """Publish the parts. If only settings changed that change no row, the current version stays."""
    if (
        before is not None
        and [part.name for part in before.parts] == [f"{name}.parquet" for name in fingerprints]
        and before.schema_version == schema_of("tracks").version
        and before.config.get("source") == config.source
        and config.reads_as(before.config)
    ):
        return before.ref
    return store.commit("tracks", fingerprints, recipe=fingerprint([fingerprints, settings]), config=settings)
