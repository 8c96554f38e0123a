"""The titles that are closest to a text that is no title: what a person probably meant.

Conventions
-----------
- Texts are compared in lower case by `difflib`'s ratio; titles below `CUTOFF` are not close.
- Only the `CANDIDATES` titles that share most pairs of neighboring bytes with the text (by Dice's coefficient) are
  compared. Each title has a signature of 64 bits for that, in which every pair sets one: 8 bytes a track.

Why no inverted index of trigrams: it takes 80 bytes a track, and scanning 1,000,000 signatures takes some milliseconds.
"""

import difflib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

CUTOFF = 0.6
CANDIDATES = 100
FEWEST, MOST = 1000, 20_000  # titles whose coefficient is computed
BLOCK = 1 << 16  # titles at a time while signatures are computed


class CloseTitles:
    """The titles of a catalog.

    Parameters
    ----------
    titles : pa.ChunkedArray of string

    >>> CloseTitles(pa.chunked_array([["Night Drive", None, "Rain"]])).find("nihgt drive")
    ['Night Drive']
    """

    def __init__(self, titles: pa.ChunkedArray):
        self._titles = titles
        blocks = [
            _signatures(chunk.slice(start, BLOCK)) for chunk in titles.chunks for start in range(0, len(chunk), BLOCK)
        ]
        self._signatures = np.concatenate([np.empty(0, np.uint64), *blocks])

    def find(self, text: str, n: int = 3) -> list[str]:
        """Up to `n` different titles, the closest first."""
        (wanted,) = _signatures(pa.array([text]))
        rows = self._sharing_most(wanted)
        sizes = np.bitwise_count(self._signatures[rows]) + np.float32(np.bitwise_count(wanted))
        scores = np.bitwise_count(self._signatures[rows] & wanted) / sizes
        best = rows[np.argsort(-scores, kind="stable")[: 16 * CANDIDATES]]
        titles = dict.fromkeys(title for title in self._titles.take(pa.array(best)).to_pylist() if title)
        spelled: dict[str, str] = {}
        for title in list(titles)[:CANDIDATES]:
            spelled.setdefault(title.lower(), title)
        return [spelled[title] for title in difflib.get_close_matches(text.lower(), spelled, n, CUTOFF)]

    def _sharing_most(self, wanted: np.uint64) -> np.ndarray:
        """Rows with the most bits of `wanted`, `MOST` of them or fewer, shape (n,), int64."""
        shared = np.bitwise_count(self._signatures & wanted)
        for least in range(int(np.bitwise_count(wanted)), 0, -1):
            if (n := np.count_nonzero(shared >= least)) >= FEWEST:
                return np.flatnonzero(shared >= (least if n <= MOST else least + 1))[:MOST]
        return np.flatnonzero(shared)[:MOST]


def _signatures(titles: pa.Array) -> np.ndarray:
    """Shape (n,), uint64: a bit for each pair of neighboring bytes of a title between spaces; 0 for null."""
    framed = pc.binary_join_element_wise(" ", pc.utf8_lower(pc.fill_null(titles, "")), " ", "").cast(pa.large_string())
    if not len(framed):
        return np.empty(0, np.uint64)
    offsets = np.frombuffer(framed.buffers()[1], np.int64)[framed.offset : framed.offset + len(framed) + 1]
    text = np.frombuffer(framed.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].astype(np.uint32)
    pairs = (text[:-1] << 8 | text[1:]) * np.uint32(2654435769) >> 26  # the upper bits of a product are well mixed
    bits = np.append(np.uint64(1) << pairs.astype(np.uint64), np.uint64(0))
    bits[offsets[1:] - offsets[0] - 1] = 0  # the pairs across two titles
    signatures = np.bitwise_or.reduceat(bits, offsets[:-1] - offsets[0])
    signatures[titles.is_null().to_numpy(zero_copy_only=False)] = 0
    return signatures
