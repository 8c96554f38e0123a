"""Cells of the catalog's columns, one at a time, without a call into Arrow's kernels.

Why: an answer shows six texts of ten tracks. Taking them with Arrow costs as much as the search itself (20 to 30
microseconds a column); slicing the bytes of each text costs a third of a microsecond. For hundreds of texts Arrow is
faster: a fifteenth of a microsecond each.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

FEW = 64  # texts that are sliced one by one; more are taken with Arrow
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TextColumn:
    """A column of strings, read by row.

    >>> column = TextColumn(pa.array(["a", None, "bc"]))
    >>> column[0], column[1], column[2]
    ('a', None, 'bc')
    """

    def __init__(self, column: pa.Array | pa.ChunkedArray):
        self._chunks = _chunks(column)
        self._blocks, self._starts = [_Texts(chunk) for chunk in self._chunks], _starts(self._chunks)

    def __getitem__(self, row: int) -> str | None:
        block = bisect_right(self._starts, row) - 1
        return self._blocks[block][row - self._starts[block]]

    def take(self, rows: Sequence[int]) -> list[str | None]:
        """The texts of many rows, in the order of `rows`.

        >>> TextColumn(pa.array(["a", None, "bc"])).take([2, 0, 1])
        ['bc', 'a', None]
        """
        if len(rows) <= FEW:
            return [self[row] for row in rows]
        at = np.asarray(rows, np.int64)
        block = np.searchsorted(self._starts, at, side="right") - 1
        order = np.argsort(block, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(block[order])) + 1)
        texts = [self._chunks[b].take(pa.array(at[part] - self._starts[b])) for part in parts for b in [block[part[0]]]]
        return pa.concat_arrays(texts).take(pa.array(np.argsort(order, kind="stable"))).to_pylist()


class NumberColumn:
    """A column of numbers, or of timestamps in microseconds, read by row.

    >>> NumberColumn(pa.array([1999, None], pa.int32()))[0]
    1999
    """

    def __init__(self, column: pa.Array | pa.ChunkedArray):
        chunks = _chunks(column)
        self._is_time = pa.types.is_timestamp(column.type)
        self._blocks, self._starts = [_Numbers(chunk) for chunk in chunks], _starts(chunks)

    def __getitem__(self, row: int) -> float | datetime | None:
        block = bisect_right(self._starts, row) - 1
        value = self._blocks[block][row - self._starts[block]]
        return EPOCH + timedelta(microseconds=value) if self._is_time and value is not None else value


class ValueColumn:
    """A column of any other type, read by row through Arrow.

    >>> ValueColumn(pa.array([["a", "b"], None]))[0]
    ['a', 'b']
    """

    def __init__(self, column: pa.Array | pa.ChunkedArray):
        self._column = column

    def __getitem__(self, row: int) -> Any:
        return self._column[row].as_py()


class Cells:
    """A table's columns, read by row.

    Parameters
    ----------
    table : pa.Table
        Timestamps are in microseconds (UTC).

    Attributes
    ----------
    texts : dict of str to TextColumn
        The columns of strings.
    """

    def __init__(self, table: pa.Table):
        columns = {name: table[name] for name in table.column_names}
        self.texts = {name: TextColumn(c) for name, c in columns.items() if pa.types.is_string(c.type)}
        self._others = {name: _column(c) for name, c in columns.items() if name not in self.texts}

    def column(self, name: str) -> "TextColumn | NumberColumn | ValueColumn":
        """One column, to be read by row."""
        return self.texts[name] if name in self.texts else self._others[name]

    def row(self, row: int) -> dict[str, object]:
        """One row, with Python values."""
        cells: dict[str, object] = {name: column[row] for name, column in self.texts.items()}
        return cells | {name: column[row] for name, column in self._others.items()}


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, copied only if it has several chunks."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _column(column: pa.ChunkedArray) -> NumberColumn | ValueColumn:
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    return (NumberColumn if is_number or pa.types.is_timestamp(column.type) else ValueColumn)(column)


class _Texts:
    """One array of strings; its buffers are read where they are."""

    def __init__(self, texts: pa.Array):
        self._known = _Known(texts) if texts.null_count else None
        _, offsets, data = texts.buffers()
        width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
        whole = np.frombuffer(offsets, width) if offsets else np.zeros(1, width)
        self._offsets = _view(whole[texts.offset : texts.offset + len(texts) + 1])
        self._bytes = memoryview(data or b"")

    def __getitem__(self, row: int) -> str | None:
        if self._known is not None and not self._known[row]:
            return None
        return str(self._bytes[self._offsets[row] : self._offsets[row + 1]], "utf-8")


class _Numbers:
    """One array of numbers; its buffers are read where they are."""

    def __init__(self, numbers: pa.Array):
        self._known = _Known(numbers) if numbers.null_count else None
        kind = np.int64 if pa.types.is_timestamp(numbers.type) else numbers.type.to_pandas_dtype()
        values = np.frombuffer(numbers.buffers()[1] or b"", kind)
        self._values = _view(values[numbers.offset : numbers.offset + len(numbers)])

    def __getitem__(self, row: int) -> float | None:
        return self._values[row] if self._known is None or self._known[row] else None


class _Known:
    """Which values of an array are not null, from its bitmap."""

    def __init__(self, array: pa.Array):
        self._bits, self._offset, self._n = memoryview(array.buffers()[0]), array.offset, len(array)

    def __getitem__(self, row: int) -> bool:
        if row >= self._n:
            raise IndexError(row)
        bit = row + self._offset
        return bool(self._bits[bit >> 3] >> (bit & 7) & 1)


def _view(values: Any) -> memoryview:
    """Of a NumPy array; it gives Python numbers, faster than the array does."""
    return memoryview(values)


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    if isinstance(column, pa.Array):
        return [column]
    return [chunk for chunk in column.chunks if len(chunk)] or [pa.array([], column.type)]


def _starts(chunks: list[pa.Array]) -> list[int]:
    """The row in which each array begins."""
    return [0, *np.cumsum([len(chunk) for chunk in chunks[:-1]]).tolist()]
