"""Filters: which tracks of a catalog an answer may contain.

Conventions
-----------
- Several values of one filter are alternatives (label rock or jazz); several filters must all hold.
- Labels, artists and albums are compared as a whole, ignoring case. Ranges include both ends; None leaves an end open.
- A track whose year, duration or label is unknown does not pass a filter on it.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import NoMatchError, SearchError
from audioae.library.predicates import Predicate, rows_passing

Range = tuple[float | None, float | None]


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


def matching(tracks: pa.Table, filters: Filters) -> np.ndarray:
    """Which tracks pass, shape (n,), bool.

    Parameters
    ----------
    tracks : pa.Table
        Rows of the dataset `tracks`.
    filters : Filters

    Raises
    ------
    SearchError
        If a label, artist, album or track_id is not in the catalog, or a range is reversed.
    NoMatchError
        If no track passes all filters; the message gives the number that pass each filter alone.

    >>> tracks = pa.table({"track_id": ["a", "b"], "label": ["Rock", None]})
    >>> matching(tracks, Filters(label=["rock"]))
    array([ True, False])
    """
    masks = {field.name: _mask(tracks, field.name, getattr(filters, field.name)) for field in fields(filters)}
    set_ones = {name: mask for name, mask in masks.items() if mask is not None}
    passed = np.logical_and.reduce([np.ones(tracks.num_rows, bool), *set_ones.values()])
    if not passed.any():
        alone = ", ".join(f"{name} {int(mask.sum())}" for name, mask in set_ones.items())
        raise NoMatchError(
            f"no track of {tracks.num_rows} passes all filters; alone they leave: {alone or 'all'}; drop or widen one"
        )
    return passed


def _mask(tracks: pa.Table, name: str, wanted) -> np.ndarray | None:
    """The mask of one filter; None if the filter is not set."""
    if name in ("label", "artist", "album"):
        return _named(tracks, name, wanted) if wanted else None
    if name in ("year", "duration_s"):
        return _within(tracks[name], name, wanted) if wanted != (None, None) else None
    if name == "added_after":
        return _plain(pc.greater_equal(tracks["added_at"], pa.scalar(_utc(wanted)))) if wanted else None
    if name == "where":
        return rows_passing(tracks, wanted) if wanted is not None else None
    if wanted is None or (name == "deny" and not wanted):
        return None
    _check_known(tracks, name, wanted)
    listed = _plain(pc.is_in(tracks["track_id"], value_set=pa.array(wanted, pa.string())))
    return listed if name == "allow" else ~listed


def _named(tracks: pa.Table, name: str, wanted: Sequence[str]) -> np.ndarray:
    values = pc.utf8_lower(tracks[name])
    lowered = [value.lower() for value in wanted]
    mask = _plain(pc.is_in(values, value_set=pa.array(lowered, pa.string())))
    present = set(pc.unique(values.filter(pa.array(mask))).to_pylist())
    for value, low in zip(wanted, lowered, strict=True):
        if low not in present:
            known = [known for known in pc.unique(tracks[name]).to_pylist() if known]
            by_case = {text.lower(): text for text in known}
            close = [by_case[text] for text in difflib.get_close_matches(low, by_case, n=3)] or sorted(known)[:5]
            raise SearchError(f"no track has the {name} {value!r}; {_hint(close, name)}")
    return mask


def _hint(close: list[str], name: str) -> str:
    return f"known: {', '.join(map(repr, close))}" if close else f"this catalog has no {name}s"


def _within(column: pa.ChunkedArray, name: str, wanted: Range) -> np.ndarray:
    low, high = (-np.inf if wanted[0] is None else wanted[0]), (np.inf if wanted[1] is None else wanted[1])
    if not low <= high:
        raise SearchError(f"{name}: got {low:g} to {high:g}, wanted the smaller number first")
    values = column.to_numpy().astype(float)
    return (values >= low) & (values <= high)


def _check_known(tracks: pa.Table, name: str, wanted: Sequence[str]) -> None:
    ids = pa.array(wanted, pa.string())
    unknown = ids.filter(pc.invert(pc.is_in(ids, value_set=tracks["track_id"])))
    if len(unknown):
        named = ", ".join(map(repr, unknown[:3].to_pylist()))
        raise SearchError(f"{name}: {len(unknown)} of {len(ids)} track_ids are not in the catalog: {named}")


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _plain(mask: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(mask, False).to_numpy().astype(bool)
