"""Filters: which tracks of a catalog an answer may contain.

Conventions
-----------
- Several values of one filter are alternatives (label rock or jazz); several filters must all hold.
- Labels, artists and albums are compared as a whole, ignoring case. Ranges include both ends; None leaves an end open.
- A track whose year, duration or label is unknown does not pass a filter on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import reduce

import numpy as np

from audioae.errors import NoMatchError, SearchError
from audioae.library.catalog_columns import CODED, NUMBERS, CatalogColumns, microseconds
from audioae.library.predicates import Predicate, rows_passing

Range = tuple[float | None, float | None]
FEW = 6  # codes that are compared one by one; more are looked up in a table


@dataclass(frozen=True)
class Filters:
    """Which tracks an answer may contain.

    Parameters
    ----------
    label, artist, album : sequence of str
    year : (first, last)
    duration_s : (shortest, longest), seconds
    added_after : datetime or None
        The track was added to the catalog at this time or later; without a time zone it is UTC.
    allow : sequence of str or None
        Only these track_ids.
    deny : sequence of str
        track_ids to leave out.
    where : Predicate or None
        A tree of exact conditions (`library.predicates`).
    """

    label: Sequence[str] = ()
    artist: Sequence[str] = ()
    album: Sequence[str] = ()
    year: Range = (None, None)
    duration_s: Range = (None, None)
    added_after: datetime | None = None
    allow: Sequence[str] | None = None
    deny: Sequence[str] = ()
    where: Predicate | None = None

    def __bool__(self) -> bool:
        return self != Filters()


def matching(columns: CatalogColumns, filters: Filters) -> np.ndarray:
    """Which tracks pass, shape (n_tracks,), bool.

    Parameters
    ----------
    columns : CatalogColumns
    filters : Filters
        track_ids in `allow` and `deny` that the catalog does not have make no difference.

    Raises
    ------
    SearchError
        If a label, artist or album is not in the catalog, or a range is reversed.
    NoMatchError
        If no track passes all filters; the message gives the number that pass each filter alone.

    >>> import pyarrow as pa
    >>> columns = CatalogColumns.of(pa.table({"track_id": ["a", "b"], "label": ["Rock", None]}))
    >>> matching(columns, Filters(label=["rock"]))
    array([ True, False])
    """
    masks = {field.name: _mask(columns, field.name, getattr(filters, field.name)) for field in fields(filters)}
    set_ones = {name: mask for name, mask in masks.items() if mask is not None}
    if not set_ones:
        return np.ones(len(columns), bool)
    passed = reduce(np.logical_and, set_ones.values())
    if not passed.any():
        alone = ", ".join(f"{name} {np.count_nonzero(mask)}" for name, mask in set_ones.items())
        raise NoMatchError(
            f"no track of {len(columns)} passes all filters; alone they leave: {alone}; drop or widen one"
        )
    return passed


def check_known(columns: CatalogColumns, filters: Filters) -> None:
    """Raise `SearchError` if a track_id in `allow` or `deny` is not in the catalog: a person may have mistyped it."""
    for name, wanted in (("allow", filters.allow or ()), ("deny", filters.deny)):
        unknown = np.flatnonzero(columns.ids.rows_of(list(wanted)) < 0)
        if len(unknown):
            named = ", ".join(repr(wanted[place]) for place in unknown[:3].tolist())
            raise SearchError(f"{name}: {len(unknown)} of {len(wanted)} track_ids are not in the catalog: {named}")


def _mask(columns: CatalogColumns, name: str, wanted) -> np.ndarray | None:
    """The mask of one filter; None if the filter is not set."""
    if name in CODED:
        return _named(columns, name, wanted) if wanted else None
    if name in NUMBERS:
        return _within(columns.numbers[name], name, wanted) if wanted != (None, None) else None
    if name == "added_after":
        return columns.added_at >= microseconds(wanted) if wanted else None
    if name == "where":
        return rows_passing(columns.tracks, wanted) if wanted is not None else None
    if wanted is None or (name == "deny" and not wanted):
        return None
    rows, mask = columns.ids.rows_of(list(wanted)), np.full(len(columns), name == "deny")
    mask[rows[rows >= 0]] = name == "allow"
    return mask


def _named(columns: CatalogColumns, name: str, wanted: Sequence[str]) -> np.ndarray:
    vocabulary, codes = columns.vocabularies[name], columns.codes[name]
    ranges = [vocabulary.codes_of(value) for value in wanted]
    for value, found in zip(wanted, ranges, strict=True):
        if not found:
            raise SearchError(f"no track has the {name} {value!r}; {_hint(vocabulary.closest(value), name)}")
    if sum(map(len, ranges)) <= FEW:
        return reduce(np.logical_or, [codes == code for found in ranges for code in found])
    chosen = np.zeros(len(vocabulary) + 1, bool)  # the last is for tracks without a value, whose code is -1
    for found in ranges:
        chosen[found.start : found.stop] = True
    return chosen.take(codes)


def _hint(close: list[str], name: str) -> str:
    return f"known: {', '.join(map(repr, close))}" if close else f"this catalog has no {name}s"


def _within(values: np.ndarray, name: str, wanted: Range) -> np.ndarray:
    low, high = (-np.inf if wanted[0] is None else wanted[0]), (np.inf if wanted[1] is None else wanted[1])
    if not low <= high:
        raise SearchError(f"{name}: got {low:g} to {high:g}, wanted the smaller number first")
    return (values >= low) & (values <= high)
