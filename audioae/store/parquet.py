"""A table as the bytes of a part, and back.

Conventions
-----------
- Every page has a checksum, which is checked when the page is read. Parts written by older versions have none.
- Whatever is wrong with the bytes is a `DamageError`.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import DamageError
from audioae.store.schemas import check_schema, schema_of, with_added, without_added

# Everything compresses with zstd but embeddings, which do not compress and read four times faster without it.
COMPRESSION = {"embeddings": "none"}
MIN_BYTES = 12  # two magic words and the length of the footer


def encode(dataset: str, table: pa.Table) -> pa.Buffer:
    """The bytes of a part of `dataset`."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.cast(schema_of(dataset).schema),
        sink,
        compression=COMPRESSION.get(dataset, "zstd"),
        use_dictionary=[f.name for f in table.schema if pa.types.is_string(f.type)],  # pyright: ignore
        write_page_checksum=True,
    )
    return sink.getvalue()


def decode(dataset: str, source: pa.NativeFile | pa.Buffer, columns: Sequence[str] | None, where: str) -> pa.Table:
    """The table of a part, in the present schema of `dataset`."""
    try:
        file = pq.ParquetFile(source, page_checksum_verification=True)
        table = file.read(without_added(dataset, columns, file.schema_arrow.names))
    except (pa.ArrowException, OSError) as error:
        raise DamageError(
            f"{where}: not readable as Parquet ({error}); `audioae fsck --repair` sets it aside, then run again"
        ) from error
    table = with_added(dataset, table, columns)
    if columns is None:
        check_schema(dataset, table, where)
    return table


def count_rows(source: pa.NativeFile, where: str) -> int:
    """The number of rows of a part, according to its footer."""
    try:
        return pq.read_metadata(source).num_rows
    except (pa.ArrowException, OSError) as error:
        raise DamageError(
            f"{where}: not readable as Parquet ({error}); `audioae fsck --repair` sets it aside, then run again"
        ) from error
