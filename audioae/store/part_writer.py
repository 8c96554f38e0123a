"""A part that is written block by block, for shards whose rows do not fit into memory.

Conventions
-----------
- Rows go into an unfinished local file: in the store's own folder, or in the cache folder if the store is remote. So a
  part needs no name before it is complete, and a writer that is killed or fails leaves no part.
- The part has the same bytes as if all rows had been written at once.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from audioae.store.parquet import Encoder
from audioae.store.storage import explained
from audioae.store.upgrade import check_schema


class PartWriter:
    """Collects the rows of one part; see `Store.part_writer`.

    Parameters
    ----------
    dataset : str
    path : Path
        The unfinished file.
    store_file : function
        Called with the fingerprint, the complete file and its SHA-256 to make it a part.

    Attributes
    ----------
    rows : int
        The number of rows so far.
    """

    def __init__(self, dataset: str, path: Path, store_file: Callable[[str, Path, str], None]):
        self.rows = 0
        self._dataset, self._path, self._store_file = dataset, path, store_file
        with explained(str(path)):
            self._encoder = Encoder(dataset, path)

    def write(self, table: pa.Table) -> None:
        """Append rows. Raises `StoreError` if `table` breaks the contract of the dataset."""
        check_schema(self._dataset, table, str(self._path))
        with explained(str(self._path)):
            self._encoder.write(table)
        self.rows += table.num_rows

    def finish(self, fingerprint: str) -> None:
        """Make what was written the part `fingerprint`, unless that exists; nothing can be written after this."""
        with explained(str(self._path)):
            self._encoder.close()
            with self._path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self._store_file(fingerprint, self._path, sha256)
