"""Predicates: conditions on the columns of a catalog, combined by and, or and not.

`Filters` is what a person states: every filter must hold, and a label that no track has is a mistake. A predicate is
what a program states: any tree of exact conditions, of which no track need pass.

Conventions
-----------
- Texts are compared as a whole, with case. A value that is unknown (null, or not a number) is neither among any values
  nor within any range; `Not` of such a condition holds for it.
- A time without a time zone is UTC.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError

Bound = float | datetime | None
ENDS: dict[str, Callable] = {"gt": pc.greater, "gte": pc.greater_equal, "lt": pc.less, "lte": pc.less_equal}


@dataclass(frozen=True)
class OneOf:
    """The column has one of these values: texts, or whole numbers."""

    column: str
    values: tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True)
class Within:
    """The column's number or time is above `gt`, at least `gte`, below `lt` and at most `lte`; None: no such bound."""

    column: str
    gt: Bound = None
    gte: Bound = None
    lt: Bound = None
    lte: Bound = None


@dataclass(frozen=True)
class Unknown:
    """The column has no value."""

    column: str


@dataclass(frozen=True, eq=False)
class Rows:
    """The row is marked in `mask`, shape (n,), bool: what is known of one catalog's tracks beside its columns."""

    mask: np.ndarray


@dataclass(frozen=True)
class AllOf:
    """Each of these holds; without any, always."""

    parts: tuple["Predicate", ...]


@dataclass(frozen=True)
class AtLeast:
    """At least `n` of these hold."""

    n: int
    parts: tuple["Predicate", ...]


@dataclass(frozen=True)
class Not:
    """This does not hold."""

    part: "Predicate"


Predicate = OneOf | Within | Unknown | Rows | AllOf | AtLeast | Not


def any_of(*parts: Predicate) -> Predicate:
    """One of these holds, or several."""
    return AtLeast(1, parts)


def rows_passing(tracks: pa.Table, predicate: Predicate) -> np.ndarray:
    """Which rows pass, shape (n,), bool.

    Parameters
    ----------
    tracks : pa.Table
        Rows of the dataset `tracks`.
    predicate : Predicate

    Raises
    ------
    SearchError
        If a column does not exist, its type does not fit the condition, or a mask is of another catalog.

    >>> tracks = pa.table({"label": ["rock", "jazz", None], "year": [1971, None, 1999]})
    >>> rows_passing(tracks, AllOf((Not(OneOf("label", ("jazz",))), Within("year", gte=1980))))
    array([False, False,  True])
    """
    match predicate:
        case OneOf(column, values):
            return _one_of(_column(tracks, column), column, values)
        case Within():
            return _within(_column(tracks, predicate.column), predicate)
        case Unknown(column):
            return _array(_column(tracks, column).is_null(nan_is_null=True))
        case Rows(mask):
            if mask.shape != (tracks.num_rows,):
                raise SearchError(f"a mask of shape {mask.shape}, wanted {(tracks.num_rows,)}: it is another catalog's")
            return mask
        case Not(part):
            return ~rows_passing(tracks, part)
        case AllOf(parts):
            return reduce(np.logical_and, (rows_passing(tracks, p) for p in parts), np.ones(tracks.num_rows, bool))
        case AtLeast(n, parts):
            count = np.zeros(tracks.num_rows, np.int32)
            for part in parts:
                count += rows_passing(tracks, part)
            return count >= n


def _column(tracks: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in tracks.column_names:
        raise SearchError(f"no column {name!r} in the catalog; it has {', '.join(tracks.column_names)}")
    return tracks[name]


def _one_of(column: pa.ChunkedArray, name: str, values: tuple[str, ...] | tuple[int, ...]) -> np.ndarray:
    wanted = str if pa.types.is_string(column.type) else int if pa.types.is_integer(column.type) else None
    if wanted is None or not all(type(value) is wanted for value in values):
        raise SearchError(f"{name}: got {values!r:.100}, wanted values of the column's type, {column.type}")
    if wanted is str:
        return _array(pc.is_in(column, value_set=pa.array(values, pa.string())))
    known = [value for value in values if isinstance(value, int) and -(2**63) <= value < 2**63]
    return _array(pc.is_in(column.cast(pa.int64()), value_set=pa.array(known, pa.int64())))


def _within(column: pa.ChunkedArray, range_: Within) -> np.ndarray:
    is_time = pa.types.is_timestamp(column.type)
    if not (is_time or pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise SearchError(f"{range_.column}: a range of {column.type}; wanted a column of numbers or times")
    values = column if is_time else column.cast(pa.float64())
    mask = ~_array(column.is_null(nan_is_null=True))
    for end, compare in ENDS.items():
        bound = getattr(range_, end)
        if bound is None:
            continue
        if isinstance(bound, datetime) != is_time:
            raise SearchError(f"{range_.column}: {end} {bound!r}; wanted a {'time' if is_time else 'number'}")
        mask &= _array(compare(values, pa.scalar(_utc(bound) if isinstance(bound, datetime) else float(bound))))
    return mask


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _array(mask: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(mask, False).to_numpy().astype(bool)
