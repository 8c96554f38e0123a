"""Find tracks by ID: a sorted array of fixed width and a binary search, without a Python string per track.

Conventions
-----------
- A row is a position in the column of IDs that was given; -1 stands for an unknown ID.

Why: a query by track_id must cost the same whether the catalog holds a thousand tracks or a hundred million. A
comparison with a whole column took 3 ms at 100,000 tracks and 26 ms at a million; this takes some microseconds.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLOCK = 1 << 16
PREFIX = 8  # bytes by which IDs are put in order before many are looked up: four times as fast as in any order
MANY = 1000
NOT_UTF8 = "surrogatepass"  # half a surrogate pair is in no ID, and no error


class TrackIds:
    """IDs of a column, ready to be looked up.

    Parameters
    ----------
    ids : pa.StringArray, length n
        Unique, without nulls.

    >>> TrackIds(pa.array(["b", "a"])).row_of("a")
    1
    """

    def __init__(self, ids: pa.StringArray):
        self._sorted, self._rows = self.sort(fixed_width(ids))

    @classmethod
    def from_sorted(cls, ids: np.ndarray, rows: np.ndarray) -> "TrackIds":
        """From what `sort` gave, in memory or mapped."""
        self = cls.__new__(cls)
        self._sorted, self._rows = ids, rows
        return self

    @staticmethod
    def sort(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """IDs of one width, shape (n,), dtype S, in ascending order, and their rows, int32 while these fit."""
        rows = np.argsort(ids, kind="stable")
        return ids[rows], rows.astype(np.int32) if len(rows) < 1 << 31 else rows

    def __len__(self) -> int:
        return len(self._sorted)

    def row_of(self, track_id: str) -> int:
        """Row of one ID, -1 if it is unknown."""
        key = track_id.encode(errors=NOT_UTF8)
        if not key or key.endswith(b"\0") or not len(self):
            return -1
        place = min(int(self._sorted.searchsorted(np.array(key))), len(self) - 1)
        return int(self._rows[place]) if self._sorted[place] == key else -1

    def rows_of(self, track_ids: Sequence[str] | pa.Array) -> np.ndarray:
        """Rows of many IDs, shape (n_ids,), int64; -1 where an ID is unknown."""
        keys, lengths = _keys(track_ids)
        if not len(self) or not len(keys):
            return np.full(len(keys), -1, np.int64)
        places = np.minimum(self._places(keys.astype(self._sorted.dtype)), len(self) - 1)
        found = self._sorted[places]
        known = (found == keys) & (np.char.str_len(found) == lengths)  # neither cut off nor padded
        return np.where(known & (lengths > 0), self._rows[places], -1).astype(np.int64)

    def _places(self, keys: np.ndarray) -> np.ndarray:
        """Where keys of the width of the IDs are among them; neighbors are looked up one after the other."""
        width = keys.dtype.itemsize
        if len(keys) < MANY or width < PREFIX:
            return self._sorted.searchsorted(keys)
        order = np.argsort(np.ndarray(len(keys), ">u8", np.ascontiguousarray(keys), strides=(width,)).astype(np.uint64))
        places = np.empty(len(keys), np.int64)
        places[order] = self._sorted.searchsorted(keys[order])
        return places

    def rows_from(self, first: str) -> np.ndarray:
        """Rows of the IDs that are not before `first`, known or not, in the order of their bytes.

        >>> TrackIds(pa.array(["c", "a", "e"])).rows_from("b").tolist()
        [0, 2]
        """
        return self._rows[self._sorted.searchsorted(np.array(first.encode(errors=NOT_UTF8))) :]


def _keys(track_ids: Sequence[str] | pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """IDs as UTF-8 bytes of one width, shape (n,), dtype S, and their lengths in bytes."""
    if not isinstance(track_ids, pa.Array):
        joined, widths = "".join(track_ids).encode(errors=NOT_UTF8), set(map(len, track_ids))
        width = max(widths, default=0)
        if len(widths) == 1 and width and len(joined) == width * len(track_ids):  # a tenth of the time of Arrow
            return np.frombuffer(joined, f"S{width}"), np.full(len(track_ids), width)
        track_ids = pa.array([track_id.encode(errors=NOT_UTF8) for track_id in track_ids], pa.binary())
    return fixed_width(track_ids), _lengths(track_ids)


def fixed_width(ids: pa.StringArray) -> np.ndarray:
    """A column of strings as UTF-8 bytes of one width, shape (n,), dtype S; shorter ones are padded with zero bytes.

    >>> fixed_width(pa.array(["a", "bcd"]))
    array([b'a', b'bcd'], dtype='|S3')
    """
    ids = ids.cast(pa.large_binary()).fill_null(b"")
    lengths = _lengths(ids)
    width = int(lengths.max(initial=1)) or 1
    offsets = np.frombuffer(ids.buffers()[1], np.int64)[ids.offset : ids.offset + len(ids) + 1]
    data = np.frombuffer(ids.buffers()[2] or b"", np.uint8)
    if len(ids) and (lengths == width).all():
        return data[offsets[0] : offsets[-1]].view(f"S{width}")
    padded = np.zeros((len(ids), width), np.uint8)
    for start in range(0, len(ids), BLOCK):
        counts = lengths[start : start + BLOCK]
        rows = np.repeat(np.arange(start, start + len(counts)), counts)
        columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        padded[rows, columns] = data[offsets[start] : offsets[start + len(counts)]]
    return padded.view(f"S{width}")[:, 0]


def _lengths(texts: pa.Array) -> np.ndarray:
    """Bytes of each text in UTF-8, shape (n,), int64."""
    return pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False).astype(np.int64)
