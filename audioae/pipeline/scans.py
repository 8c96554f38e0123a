"""What a scan has read, kept in the store until the catalog is published, and which source a catalog was made from.

Conventions
-----------
- The dataset `scans` has parts of at most `files.CHUNK` files, written as they are read, by any number of processes.
  No version names them: a scan that was killed takes what it finds there, and a scan that ends deletes it.
- A file counts as read if its path, size and time of modification are the same, and so are the settings of reading.
- A version of `scans` has no parts. Its recipe is the listing of a source, and its parent the `tracks` that this gave.
"""

import contextlib
import hashlib
from typing import Any

import pyarrow as pa

from audioae.catalog.database import Database
from audioae.catalog.files import CODE, READ
from audioae.catalog.listing import Listed, manifest_digest
from audioae.catalog.scan import Scan
from audioae.catalog.sources import CatalogConfig
from audioae.config import fingerprint
from audioae.errors import DamageError
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import schema_of


class Scans:
    """The scans of a store with one config.

    Parameters
    ----------
    store : Store
    config : CatalogConfig
    made_from : JSON-like
        What determines the tracks, beside the source.
    """

    def __init__(self, store: Store, config: CatalogConfig, made_from: Any):
        self._store, self._config = store, config
        self._made_from = [made_from, CODE, schema_of("tracks").version]
        reading = config.model_dump(mode="json", include={"tag_encoding", "tag_limits"})
        self._prefix = f"{fingerprint([CODE, reading])}-"

    def is_unchanged(self, listed: Listed, tracks: DatasetRef) -> bool:
        """Whether `tracks` was made from this listing, and reading the files again would give nothing else."""
        return self._is_recorded(listed.digest, tracks)

    def is_unchanged_manifest(self, tracks: DatasetRef) -> bool:
        """Whether `tracks` was made from a manifest with these bytes that gives all hashes."""
        return self._config.trusts_hashes and self._is_recorded(manifest_digest(self._config), tracks)

    def load(self, db: Database) -> None:
        """Make the table `reads` of the files that were read, with the columns of `READ`."""
        db.create("reads", READ)
        for name in self._parts():
            with contextlib.suppress(DamageError):  # its files are read again
                db.insert("reads", self._store.read_part("scans", name))
        db.run(
            "CREATE OR REPLACE TABLE reads AS SELECT DISTINCT ON (path, size_bytes, modified_ns) * FROM reads "
            "WHERE modified_ns IS NOT NULL"
        )

    def save(self, files: pa.Table) -> None:
        """Keep what was read of some files (rows of `READ`)."""
        if not len(files):
            return
        names = files.select(["path", "size_bytes", "modified_ns"]).to_pydict()
        content = hashlib.sha256(repr(names).encode()).hexdigest()[:16]
        self._store.write_part("scans", self._prefix + content, files.cast(schema_of("scans").schema))

    def finish(self, listed: Listed, scan: Scan, tracks: DatasetRef) -> None:
        """Record what `tracks` was made from, and delete what was kept."""
        if not scan.n_open and not listed.found.unreadable:
            config = {"source": self._config.source, "files": listed.n_files}
            self._store.commit("scans", [], recipe=self._recipe(listed.digest), config=config, parents=[tracks])
        for name in self._parts():
            self._store.storage.delete(self._store.part_key("scans", f"{name}.parquet"))

    def _parts(self) -> list[str]:
        return sorted(name for name in self._store.part_fingerprints("scans") if name.startswith(self._prefix))

    def _recipe(self, digest: str) -> str:
        return fingerprint([self._made_from, digest])

    def _is_recorded(self, digest: str, tracks: DatasetRef) -> bool:
        latest = self._store.latest("scans")
        manifest = self._store.manifest(latest) if latest else None
        return bool(manifest) and manifest.recipe == self._recipe(digest) and manifest.parent("tracks") == tracks
