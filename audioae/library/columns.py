"""Cells of the catalog's columns, one at a time, without a call into Arrow's kernels.

Why: an answer shows six texts of ten tracks. Taking them with Arrow costs as much as the search itself (20 to 30
microseconds a column); slicing the bytes of each text costs a third of a microsecond. For hundreds of texts Arrow is
faster: a fifteenth of a microsecond each.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

FEW = 64  # texts that are sliced one by one; more are taken with Arrow
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TextColumn:
    """A column of strings, read by row.

    >>> column = TextColumn(pa.array(["a", None, "bc"]))
    >>> column[0], column[1], column[2]
    ('a', None, 'bc')
    """

    def __init__(self, column: pa.Array):
        self._array = column.cast(pa.large_string()) if pa.types.is_string(column.type) else column
        buffers = self._array.buffers()
        offsets = np.frombuffer(buffers[1], np.int64) if buffers[1] else np.zeros(1, np.int64)
        self._offsets = _view(offsets[column.offset : column.offset + len(column) + 1])
        self._bytes = memoryview(buffers[2] or b"")
        self._null = _null(column)

    def __getitem__(self, row: int) -> str | None:
        if self._null is not None and self._null[row]:
            return None
        return str(self._bytes[self._offsets[row] : self._offsets[row + 1]], "utf-8")

    def take(self, rows: Sequence[int]) -> list[str | None]:
        """The texts of many rows, in the order of `rows`.

        >>> TextColumn(pa.array(["a", None, "bc"])).take([2, 0, 1])
        ['bc', 'a', None]
        """
        if len(rows) > FEW:
            return self._array.take(pa.array(rows, pa.int64())).to_pylist()
        data, offsets, null = self._bytes, self._offsets, self._null
        if null is None:
            return [str(data[offsets[row] : offsets[row + 1]], "utf-8") for row in rows]
        return [None if null[row] else str(data[offsets[row] : offsets[row + 1]], "utf-8") for row in rows]


class NumberColumn:
    """A column of numbers, or of timestamps in microseconds, read by row.

    >>> NumberColumn(pa.array([1999, None], pa.int32()))[0]
    1999
    """

    def __init__(self, column: pa.Array):
        self._is_time = pa.types.is_timestamp(column.type)
        numbers = column.cast(pa.int64()) if self._is_time else column
        self._values = _view(pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False))
        self._null = _null(column)

    def __getitem__(self, row: int) -> float | datetime | None:
        if self._null is not None and self._null[row]:
            return None
        value = self._values[row]
        return EPOCH + timedelta(microseconds=value) if self._is_time else value


class ValueColumn:
    """A column of any other type, read by row through Arrow.

    >>> ValueColumn(pa.array([["a", "b"], None]))[0]
    ['a', 'b']
    """

    def __init__(self, column: pa.Array):
        self._column = column

    def __getitem__(self, row: int) -> Any:
        return self._column[row].as_py()


class Cells:
    """A table's columns, read by row.

    Parameters
    ----------
    table : pa.Table
        One chunk per column; timestamps are in microseconds (UTC).

    Attributes
    ----------
    texts : dict of str to TextColumn
        The columns of strings.
    """

    def __init__(self, table: pa.Table):
        columns = {name: one_chunk(table[name]) for name in table.column_names}
        self.texts = {name: TextColumn(c) for name, c in columns.items() if pa.types.is_string(c.type)}
        self._others = {name: _column(c) for name, c in columns.items() if name not in self.texts}

    def row(self, row: int) -> dict[str, object]:
        """One row, with Python values."""
        cells: dict[str, object] = {name: column[row] for name, column in self.texts.items()}
        return cells | {name: column[row] for name, column in self._others.items()}


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, copied only if it has several chunks."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _column(column: pa.Array) -> NumberColumn | ValueColumn:
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return (NumberColumn if is_number or pa.types.is_timestamp(column.type) else ValueColumn)(column)


def _view(values: Any) -> memoryview:
    """Of a NumPy array; it gives Python numbers, faster than the array does."""
    return memoryview(values)


def _null(column: pa.Array) -> memoryview | None:
    return _view(column.is_null().to_numpy(zero_copy_only=False)) if column.null_count else None
