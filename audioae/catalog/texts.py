"""Columns of texts: the same function for each value of an Arrow array, called once per distinct value."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

TEXTS = pa.list_(pa.field("element", pa.string(), nullable=False))


def map_values(values: pa.Array, function: Callable[[Any], Any], kind: pa.DataType) -> pa.Array:
    """`function` of each value, as an array of `kind`. Null stays null.

    >>> map_values(pa.array(["a", None, "a"]), str.upper, pa.string()).to_pylist()
    ['A', None, 'A']
    """
    codes = values.dictionary_encode()
    mapped = pa.array([function(value) for value in codes.dictionary.to_pylist()], kind)
    return mapped.take(codes.indices)


def map_lists(lists: pa.Array, function: Callable[[str], Iterable[str]], *, once: bool = True) -> pa.Array:
    """The texts that `function` gives for the texts of each list, in order; null where there is none.

    With `once`, each text is given once per list.

    >>> rows = pa.array([["a b", "a"], None, []], TEXTS)
    >>> map_lists(rows, str.split).to_pylist()
    [['a', 'b'], None, None]
    """
    parents = pc.list_parent_indices(lists).to_numpy()
    codes = pc.list_flatten(lists).dictionary_encode()
    results = [list(function(text)) for text in codes.dictionary.to_pylist()]
    if all(len(result) <= 1 for result in results) and (np.diff(parents) > 0).all():
        firsts = pa.array([result[0] if result else None for result in results], pa.string()).take(codes.indices)
        return single(_scattered(firsts, parents, len(lists)))
    rows: list[list[str] | None] = [None] * len(lists)
    pairs = zip(parents.tolist(), codes.indices.to_pylist(), strict=True)
    for parent, group in itertools.groupby(pairs, key=lambda pair: pair[0]):
        texts = [text for _, code in group for text in results[code]]
        rows[parent] = (list(dict.fromkeys(texts)) if once else texts) or None
    return pa.array(rows, TEXTS)


def single(texts: pa.Array) -> pa.Array:
    """Each text as a list of one; null where there is no text."""
    valid = texts.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.append(0, np.cumsum(valid)).astype(np.int32)
    mask = pa.array(~valid)
    return pa.ListArray.from_arrays(pa.array(offsets), texts.drop_null(), type=TEXTS, mask=mask)


def first_texts(lists: pa.Array) -> pa.Array:
    """The first text of each list; null where there is none."""
    flat, parents = pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()
    _, first = np.unique(parents, return_index=True)
    return _scattered(flat.take(pa.array(first)), parents[first], len(lists))


def _scattered(values: pa.Array, rows: np.ndarray, n: int) -> pa.Array:
    """An array of length `n` with `values` at `rows`, and null elsewhere."""
    at = np.full(n, -1)
    at[rows] = np.arange(len(values))
    return values.take(pa.array(at, mask=at < 0))
