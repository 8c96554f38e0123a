"""The distinct texts of a column, so that a filter compares numbers: each text has a code, and finds those it matches.

Conventions
-----------
- A code is the rank of a text among all texts, ordered by their case-folded form and then by themselves. All spellings
  of a text that differ in case only have consecutive codes.
- Case is folded as Unicode says, on both sides: "STRASSE" finds "Straße".
"""

import difflib
from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.library.columns import TextColumn

ALL = 2000  # texts that are all compared when a text is unknown; of more, those that share most letters with it
CLOSE = 100
TRIGRAMS = 16


class Vocabulary:
    """The distinct texts of one column.

    Parameters
    ----------
    table : pa.Table
        As `make_vocabulary` gives it.

    >>> vocabulary = Vocabulary(make_vocabulary(pa.array(["rock", "Jazz", "Rock"]))[0])
    >>> vocabulary.codes_of("ROCK"), vocabulary.codes_of("polka"), vocabulary.closest("rok")
    (range(1, 3), range(1, 1), ['rock'])
    """

    def __init__(self, table: pa.Table):
        self._n, self._column = table.num_rows, table["folded"]
        self._texts = TextColumn(table["text"])
        self._folded: Any = TextColumn(table["folded"])  # of its cells none is null

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, code: int) -> str:
        """The text of a code."""
        return str(self._texts[code])

    @property
    def folded(self) -> pa.ChunkedArray:
        """The texts without their case, in the order of their codes."""
        return self._column

    def codes_of(self, text: str) -> range:
        """The codes of all spellings of a text; empty if the column does not have it."""
        folded = text.casefold()
        first = bisect_left(self._folded, folded, 0, self._n)
        return range(first, bisect_right(self._folded, folded, first, self._n))

    def closest(self, text: str) -> list[str]:
        """Up to three texts that are spelled like an unknown one, or else the first five texts of the column."""
        folded = text.casefold()
        rows = range(self._n) if self._n <= ALL else self._alike(folded)
        spelled = {str(self._folded[row]): str(self._texts[row]) for row in rows}
        close = [spelled[one] for one in difflib.get_close_matches(folded, spelled, n=3)]
        return close or [text for row in range(min(6, self._n)) if (text := str(self._texts[row]))][:5]

    def _alike(self, folded: str) -> list[int]:
        """Rows that share most trigrams with a text."""
        folded = folded.encode(errors="replace").decode()  # half a surrogate pair is in no text
        trigrams = list(dict.fromkeys(folded[i : i + 3] for i in range(max(len(folded) - 2, 1))))[:TRIGRAMS]
        shared = np.zeros(self._n, np.int8)
        for trigram in trigrams:
            shared += pc.match_substring(self._column, trigram).to_numpy()
        return np.argsort(-shared, kind="stable")[:CLOSE].tolist()


def make_vocabulary(texts: pa.Array) -> tuple[pa.Table, np.ndarray]:
    """The table of a `Vocabulary` of distinct texts, and the code of each text, shape (n,), int32."""
    known = texts.drop_null()
    folded = pc.ascii_lower(known)
    is_ascii = pc.string_is_ascii(known)
    others = pa.array([text.casefold() for text in known.filter(pc.invert(is_ascii)).to_pylist()], known.type)
    folded = pc.replace_with_mask(folded, pc.invert(is_ascii), others)
    table = pa.table({"folded": folded, "text": known})
    order = pc.sort_indices(table, sort_keys=[("folded", "ascending"), ("text", "ascending")])
    codes = np.empty(len(known), np.int32)
    codes[order.to_numpy()] = np.arange(len(known))
    return table.take(order), codes
