"""Several columns of strings, read row by row: what an answer shows of each track.

Why: reading cell by cell, the six texts of ten tracks took as long as the search itself. Here a row's block is looked
up once for all its columns, and a text is a slice of the file's bytes. For many rows, Arrow takes them block by block,
in the order of the file.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

FEW = 64  # rows that are read one by one; more are taken with Arrow

Texts = tuple[str | None, ...]


class TextRows:
    """Columns of strings of a table.

    Parameters
    ----------
    table : pa.Table
    names : sequence of str

    >>> TextRows(pa.table({"a": ["x", None], "b": ["y", "z"]}), ["a", "b"]).take([1, 0])
    [(None, 'z'), ('x', 'y')]
    """

    def __init__(self, table: pa.Table, names: Sequence[str]):
        chosen = table.select(names).cast(pa.schema([(name, pa.string()) for name in names]))
        self._blocks = [block for block in chosen.to_batches() if block.num_rows]
        self._columns = [[_buffers(column) for column in block.columns] for block in self._blocks]
        self._starts = np.cumsum([0, *(block.num_rows for block in self._blocks)]).tolist()

    def take(self, rows: Sequence[int]) -> list[Texts]:
        """The texts of each of `rows`, in the order of the columns."""
        if len(rows) > FEW:
            return self._take_many(np.asarray(rows, np.int64))
        taken = []
        for row in rows:
            block = bisect_right(self._starts, row) - 1
            place, texts = row - self._starts[block], []
            for offsets, data, validity, first in self._columns[block]:
                bit = place + first
                known = validity is None or validity[bit >> 3] >> (bit & 7) & 1
                texts.append(str(data[offsets[place] : offsets[place + 1]], "utf-8") if known else None)
            taken.append(tuple(texts))
        return taken

    def _take_many(self, rows: np.ndarray) -> list[Texts]:
        order = np.argsort(rows, kind="stable")
        ascending = rows[order]
        bounds = np.searchsorted(ascending, self._starts).tolist()
        texts: list[Texts] = []
        for block, start, (first, last) in zip(self._blocks, self._starts, pairwise(bounds), strict=False):
            places = pa.array(ascending[first:last] - start)
            texts += zip(*(column.take(places).to_pylist() for column in block.columns), strict=True)
        return [texts[place] for place in np.argsort(order).tolist()]


def _buffers(texts: pa.StringArray) -> tuple[memoryview, memoryview, memoryview | None, int]:
    """Offsets, bytes, the bitmap of known texts (None if all are), and its first bit."""
    validity, offsets, data = texts.buffers()
    whole: Any = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(whole), memoryview(data or b""), memoryview(validity) if texts.null_count else None, texts.offset
