"""One part of `mels`, read group by group: training wants some clips of many shards, and never a shard as a whole.

Conventions
-----------
- A group is 1,024 rows: a row group of the Parquet file. A part of an older version is one large row group, whose rows
  are counted off in the same groups; reading one of them decodes all before it.
- Pages are verified by their checksums. The part is not hashed, which would read all of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import DamageError
from audioae.store.dataset import Store
from audioae.store.manifest import Part
from audioae.store.parquet import GROUP_ROWS as _GROUP_ROWS
from audioae.store.upgrade import with_added

GROUP_ROWS = _GROUP_ROWS["mels"]
BUFFER = 1 << 20  # bytes: a column of a large row group is read through a buffer, not whole


class MelGroups:
    """An opened part of `mels`; see `open_mels`."""

    def __init__(self, file: pq.ParquetFile, where: str):
        self.file, self.where = file, where
        metadata = file.metadata
        self.rows = metadata.num_rows
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self.in_groups = sizes == [min(GROUP_ROWS, self.rows - start) for start in range(0, self.rows, GROUP_ROWS)]

    def track_ids(self) -> pa.ChunkedArray:
        """The track_id of every row; nothing else is read."""
        with readable(self.where):
            return self.file.read(["track_id"])["track_id"]

    def read(self, groups: Sequence[int], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows of each of `groups`, which must ascend, in the present schema."""
        if self.in_groups:
            for group in groups:
                with readable(self.where):
                    table = self.file.read_row_group(group, list(columns), use_threads=False)
                yield with_added("mels", table, columns)
            return
        batches = self.file.iter_batches(GROUP_ROWS, columns=list(columns), use_threads=False)
        passed = 0
        for group in groups:
            with readable(self.where):
                batch = next(islice(batches, group - passed, None))
            passed = group + 1
            yield with_added("mels", pa.Table.from_batches([batch]), columns)


@contextmanager
def open_mels(store: Store, part: Part) -> Iterator[MelGroups]:
    """Open a part that a manifest of `mels` names.

    Raises
    ------
    DamageError
        Here or while it is read, if its bytes are not those of a part of the size that the manifest records.
    """
    key = store.part_key("mels", part.name)
    where = store.storage.locate(key)
    with store.storage.open(key) as stream:
        if stream.size() != part.bytes:
            raise DamageError(
                f"{where}: {stream.size()} bytes, the manifest says {part.bytes}; run again to compute it"
            )
        with readable(where):
            file = pq.ParquetFile(stream, page_checksum_verification=True, buffer_size=BUFFER)
        yield MelGroups(file, where)


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Turn the errors of a reader into a `DamageError`."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DamageError(
            f"{where}: not readable as Parquet ({error}); `audioae fsck --repair` sets it aside, then run again"
        ) from error


def n_groups(part: Part) -> int:
    """The number of groups of a part, from its manifest.

    >>> n_groups(Part(name="a", sha256="", bytes=0, rows=1025))
    2
    """
    return -(-(part.rows or 0) // GROUP_ROWS)
