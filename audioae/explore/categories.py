"""Columns of texts as colors: the most frequent values have codes of their own, the others share one.

Conventions
-----------
- A category is a text whatever its case; it is shown in its most frequent spelling.
- Codes are uint16: 0 is the most frequent category; `OTHER` stands for all beyond the first few, `NONE` for no value. A
  code says nothing about other maps.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

MAX_CODES = 63
OTHER = 65_534
NONE = 65_535


class Categories(NamedTuple):
    """The categories of one column.

    Attributes
    ----------
    of_value : np.ndarray, shape (n_values + 1,), int32
        The category of each value of the column; the last is for -1, no value.
    counts : np.ndarray, shape (n_categories,), int64
        Rows of the map in each category.
    value : np.ndarray, shape (n_categories,), int32
        The most frequent spelling.
    code : np.ndarray, shape (n_categories + 1,), uint16
        The last is `NONE`.
    """

    of_value: np.ndarray
    counts: np.ndarray
    value: np.ndarray
    code: np.ndarray

    def codes(self, values: np.ndarray) -> np.ndarray:
        """The code of each row, shape (n,), uint16, from the number of its value, -1 for none."""
        return self.code[self.of_value[values]]


def make_categories(values: np.ndarray, folded: pa.Array | pa.ChunkedArray, max_codes: int = MAX_CODES) -> Categories:
    """The categories of a column.

    Parameters
    ----------
    values : np.ndarray, shape (n,), int
        The number of each row's value; -1: none.
    folded : pa.Array or pa.ChunkedArray of string, length n_values
        The values without their case; equal ones follow each other.
    max_codes : int
        Categories that get codes of their own.

    >>> made = make_categories(np.array([0, 1, 1, 2, -1]), pa.array(["jazz", "rock", "rock"]))
    >>> made.counts.tolist(), made.value.tolist(), made.codes(np.array([0, 1, 2, -1])).tolist()
    ([1, 3], [0, 1], [1, 0, 0, 65535])
    """
    n_values = len(folded)
    same = pc.equal(folded.slice(1), folded.slice(0, max(n_values - 1, 0))) if n_values else pa.array([], pa.bool_())
    first = np.append(np.ones(min(n_values, 1), bool), ~np.asarray(same))
    of_value = np.append(np.cumsum(first, dtype=np.int32) - 1, np.int32(-1)).astype(np.int32)
    n = int(first.sum())
    per_value = np.bincount(values[values >= 0], minlength=n_values)
    counts = np.bincount(of_value[:-1], weights=per_value, minlength=n).astype(np.int64)
    order = np.lexsort((-per_value, of_value[:-1]))  # in each category the most frequent spelling first
    value = order[np.flatnonzero(first)].astype(np.int32)  # categories are as long as before
    code = np.full(n + 1, OTHER, np.uint16)
    top = np.lexsort((np.arange(n), -counts))[:max_codes]
    code[top] = np.arange(len(top))
    code[-1] = NONE
    return Categories(of_value, counts, value, code)


def legend(categories: Categories, texts: Any) -> list[dict[str, Any]]:
    """What the codes mean: `code`, `value` and `n`, the most frequent first; the last may be the code "other".

    Parameters
    ----------
    categories : Categories
    texts : sequence of str
        The text of each value.
    """
    shown = np.flatnonzero(categories.code[:-1] < OTHER)
    shown = shown[np.argsort(categories.code[shown])]
    rows: list[dict[str, Any]] = [
        {"code": code, "value": str(texts[int(categories.value[place])]), "n": int(categories.counts[place])}
        for code, place in enumerate(shown)
        if categories.counts[place]
    ]
    others = int((categories.counts[categories.code[:-1] == OTHER] > 0).sum())
    if others:
        n = int(categories.counts.sum() - categories.counts[shown].sum())
        rows.append({"code": "other", "value": f"{others} others", "n": n})
    return rows
