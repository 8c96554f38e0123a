"""A table as the bytes of a part, and back.

Conventions
-----------
- Every page has a checksum, which is checked when the page is read. Parts written by older versions have none.
- The bytes of a part depend on its rows alone, not on how many at a time were written: row groups have a fixed size.
- Whatever is wrong with the bytes is a `DamageError`.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import DamageError
from audioae.store.schemas import schema_of
from audioae.store.upgrade import check_schema, with_added, without_added

# Everything compresses with zstd but embeddings, which do not compress and read four times faster without it.
COMPRESSION = {"embeddings": "none"}
GROUP_ROWS = {"mels": 1024}  # 16 MiB; a part of any other dataset is one row group
BUFFER = 1 << 24  # bytes of a column that are read at once where blocks are read; on S3 each is a request
MIN_BYTES = 12  # two magic words and the length of the footer


class Encoder:
    """Writes tables as one part.

    Parameters
    ----------
    dataset : str
    sink : path or file
    """

    def __init__(self, dataset: str, sink: pa.NativeFile | Path):
        self._schema = schema_of(dataset).schema
        self._group_rows = GROUP_ROWS.get(dataset, 1 << 20)
        self._waiting = self._schema.empty_table()
        self._is_empty = True
        self._writer = pq.ParquetWriter(
            sink,
            self._schema,
            compression=COMPRESSION.get(dataset, "zstd"),
            use_dictionary=[f.name for f in self._schema if pa.types.is_string(f.type)],  # pyright: ignore
            write_page_checksum=True,
        )

    def write(self, table: pa.Table) -> None:
        """Append rows; they wait in memory until a group is full."""
        self._waiting = pa.concat_tables([self._waiting, table.cast(self._schema)])
        while self._waiting.num_rows >= self._group_rows:
            self._write_group(self._waiting.slice(0, self._group_rows))
            self._waiting = self._waiting.slice(self._group_rows)

    def close(self) -> None:
        """Write the last group and the footer."""
        if self._waiting.num_rows or self._is_empty:
            self._write_group(self._waiting)
        self._writer.close()

    def _write_group(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.combine_chunks(), self._group_rows)
        self._is_empty = False


def encode(dataset: str, table: pa.Table) -> pa.Buffer:
    """The bytes of a part of `dataset`."""
    sink = pa.BufferOutputStream()
    encoder = Encoder(dataset, sink)
    encoder.write(table)
    encoder.close()
    return sink.getvalue()


def decode(dataset: str, source: pa.NativeFile | pa.Buffer, columns: Sequence[str] | None, where: str) -> pa.Table:
    """The table of a part, in the present schema of `dataset`."""
    with _readable(where):
        file = pq.ParquetFile(source, page_checksum_verification=True)
        table = file.read(without_added(dataset, columns, file.schema_arrow.names))
    return _upgraded(dataset, table, columns, where)


def decode_blocks(
    dataset: str, source: pa.NativeFile, columns: Sequence[str] | None, where: str, rows: int
) -> Iterator[pa.Table]:
    """The table of a part as `decode` gives it, in blocks of at most `rows` rows.

    It is decoded in the thread of the caller. Arrow has one pool for all threads, of one thread if OMP_NUM_THREADS
    is 1: 16 readers of mels waited for it most of their time.
    """
    with _readable(where):
        file = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False, buffer_size=BUFFER)
        columns_of_file = without_added(dataset, columns, file.schema_arrow.names)
        batches = file.iter_batches(rows, columns=columns_of_file, use_threads=False)
    while True:
        with _readable(where):
            batch = next(batches, None)
        if batch is None:
            return
        yield _upgraded(dataset, pa.Table.from_batches([batch]), columns, where)


def _upgraded(dataset: str, table: pa.Table, columns: Sequence[str] | None, where: str) -> pa.Table:
    table = with_added(dataset, table, columns)
    if columns is None:
        check_schema(dataset, table, where)
    return table


@contextlib.contextmanager
def _readable(where: str) -> Iterator[None]:
    """Turn the errors of a reader into a `DamageError`."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DamageError(
            f"{where}: not readable as Parquet ({error}); `audioae fsck --repair` sets it aside, then run again"
        ) from error


def read_footer(dataset: str, source: pa.NativeFile, where: str) -> int:
    """The number of rows of a part. Raises `StoreError` if its schema breaks the contract of the dataset."""
    with _readable(where):
        file = pq.ParquetFile(source)
    _upgraded(dataset, file.schema_arrow.empty_table(), None, where)
    return file.metadata.num_rows


def count_rows(source: pa.NativeFile, where: str) -> int:
    """The number of rows of a part, according to its footer."""
    with _readable(where):
        return pq.read_metadata(source).num_rows
