"""Which rows of the index an answer may contain, and which track of a recording is shown."""

from typing import Literal, NamedTuple

import numpy as np

from audioae.errors import NoMatchError
from audioae.library.alignment import RowAlignment
from audioae.library.filters import Filters, matching
from audioae.library.generation import Generation


class Matching(NamedTuple):
    """The tracks that pass the filters.

    Attributes
    ----------
    n : int
        How many recordings pass.
    catalog, index_row : np.ndarray, shape (n_passing,), int64
        Catalog rows that pass, ordered by their index rows, and these.
    among : np.ndarray, shape (n,), int64, or None
        The distinct index rows; None if every row of the index passes.
    """

    n: int
    catalog: np.ndarray
    index_row: np.ndarray
    among: np.ndarray | None


def matching_rows(library: Generation, filters: Filters) -> Matching | None:
    """The tracks that pass `filters`, or None without filters, when all do.

    Raises
    ------
    NoMatchError
        If no track passes, or none of those that pass has an embedding.
    SearchError
        If a filter is wrong.
    """
    if not filters:
        return None
    alignment: RowAlignment = library.alignment
    mask = matching(library.columns, filters)
    places = alignment.place[np.flatnonzero(mask)]  # not all rows in the order of the index, which takes longer
    places = np.sort(places[places >= 0])
    if not len(places):
        raise NoMatchError(f"{mask.sum()} tracks pass the filters, but none has an embedding (audioae coverage)")
    passing, index_row = alignment.by_index[places], alignment.sorted_index_row[places]
    distinct = index_row[np.diff(index_row, prepend=-1) > 0]  # they ascend
    return Matching(len(distinct), passing, index_row, distinct if len(distinct) < len(library.index) else None)


def first_members(alignment: RowAlignment, matches: Matching | None, rows: np.ndarray) -> np.ndarray:
    """For each of some index rows, the catalog row that is shown: the first that passes."""
    if matches is None:
        return alignment.catalog_row[rows]
    return matches.catalog[_places(matches.index_row, rows)]


def all_members(alignment: RowAlignment, matches: Matching | None, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every passing catalog row of each of some index rows: positions in `rows`, and catalog rows."""
    if matches is None:
        catalog, index_row = alignment.by_index, alignment.sorted_index_row
    else:
        catalog, index_row = matches.catalog, matches.index_row
    first, last = _places(index_row, rows), _places(index_row, rows, "right")
    position = np.repeat(np.arange(len(rows)), last - first)
    return position, catalog[np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]).astype(int)]


def _places(index_row: np.ndarray, rows: np.ndarray, side: Literal["left", "right"] = "left") -> np.ndarray:
    """Where rows are in `index_row`, which ascends. With rows of a wider type, NumPy would copy all of it."""
    return np.searchsorted(index_row, rows.astype(index_row.dtype), side)
