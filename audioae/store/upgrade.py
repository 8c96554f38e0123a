"""Tables that older versions wrote, upgraded to the current schemas, and the check that a table keeps its contract."""

from collections.abc import Sequence

import pyarrow as pa

from audioae.errors import StoreError
from audioae.store.schemas import schema_of


def without_added(dataset: str, columns: Sequence[str] | None, stored: Sequence[str]) -> list[str] | None:
    """Those of the wanted `columns` that can be read from a part with the columns `stored`; None means all."""
    added = schema_of(dataset).added
    return None if columns is None else [name for name in columns if name in stored or name not in added]


def with_added(dataset: str, table: pa.Table, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of any version upgraded to the current schema (or its wanted `columns`); missing columns are null.

    The columns are in the wanted order, so that parts of different versions make one table.

    >>> with_added("health", pa.table({"track_id": ["a"]}), ["fall_db", "track_id"]).to_pydict()
    {'fall_db': [None], 'track_id': ['a']}
    """
    schema, added = schema_of(dataset).schema, schema_of(dataset).added
    for name, kind in schema_of(dataset).former_types.items():
        if name in table.column_names and table.schema.field(name).type.equals(kind):
            table = table.set_column(table.column_names.index(name), schema.field(name), _as_bytes(table[name]))
    missing = [name for name in added if name not in table.column_names and (columns is None or name in columns)]
    for name in missing:
        table = table.append_column(schema.field(name), pa.nulls(table.num_rows, schema.field(name).type))
    order = schema.names if columns is None else columns
    return table.select([name for name in order if name in table.column_names]) if missing else table


def _as_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of n uint8 as n bytes each; nothing is copied."""
    size = column.type.list_size
    chunks = []
    for values in (chunk.flatten() for chunk in column.chunks):
        n, start = len(values) // size, values.offset // size
        chunks.append(pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), n, [None, values.buffers()[1]], -1, start))
    return pa.chunked_array(chunks, pa.binary(size))


def check_schema(dataset: str, table: pa.Table, where: str) -> None:
    """Raise `StoreError`, naming the first wrong column, if `table` breaks the contract of `dataset`."""
    wanted, got = schema_of(dataset).schema, table.schema
    if got.names != wanted.names:
        missing, extra = sorted(set(wanted.names) - set(got.names)), sorted(set(got.names) - set(wanted.names))
        raise StoreError(f"{where}: wrong columns in {dataset}: missing {missing}, unknown {extra}")
    for field in wanted:
        if got.field(field.name).type != field.type:
            raise StoreError(f"{where}: {dataset}.{field.name} is {got.field(field.name).type}, wanted {field.type}")
        if not field.nullable and table[field.name].null_count:
            raise StoreError(f"{where}: {dataset}.{field.name} has {table[field.name].null_count} nulls, wanted none")
