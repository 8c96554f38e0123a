"""Predicates against the same conditions written in pandas."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioae.errors import NoMatchError, SearchError
from audioae.library.catalog_columns import CatalogColumns
from audioae.library.filters import Filters, matching
from audioae.library.predicates import (
    AllOf,
    AtLeast,
    Not,
    OneOf,
    Predicate,
    Rows,
    Unknown,
    Within,
    any_of,
    rows_passing,
)

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 9)]
TRACKS = pa.table(
    {
        "track_id": list("abcdefgh"),
        "label": ["Rock", "rock", "Jazz", None, "", "Jazz", "Rock", "élan"],
        "year": pa.array([1990, None, 2005, 1990, None, 2010, 1999, -1], pa.int32()),
        "duration_s": pa.array([100.0, 200.5, None, float("nan"), 0.0, 1e9, 200.5, 3.0]),
        "added_at": pa.array(DAYS, pa.timestamp("us", "UTC")),
    }
)
FRAME = TRACKS.to_pandas()
COLUMNS = CatalogColumns.of(TRACKS)


def passing(predicate: Predicate) -> str:
    return "".join(TRACKS["track_id"].filter(pa.array(rows_passing(TRACKS, predicate))).to_pylist())


@pytest.mark.parametrize(
    ("predicate", "wanted"),
    [
        (OneOf("label", ("Rock",)), "ag"),
        (OneOf("label", ("rock", "élan", "no such label")), "bh"),
        (OneOf("label", ()), ""),
        (OneOf("year", (1990, -1, 2**80)), "adh"),
        (Not(OneOf("label", ("Rock",))), "bcdefh"),
        (Unknown("label"), "d"),
        (Unknown("duration_s"), "cd"),
        (Within("year", gte=1990, lt=2005), "adg"),
        (Within("year", gt=1990), "cfg"),
        (Within("duration_s"), "abefgh"),
        (Within("duration_s", gt=0, lte=200.5), "abgh"),
        (Within("added_at", gt=DAYS[5]), "gh"),
        (Within("added_at", gte=datetime(2026, 1, 7)), "gh"),
        (Within("added_at", gte=datetime(2026, 1, 7, 1, tzinfo=timezone(timedelta(hours=2)))), "gh"),
        (AllOf(()), "abcdefgh"),
        (AllOf((OneOf("label", ("Jazz",)), Within("year", gte=2010))), "f"),
        (any_of(OneOf("label", ("Jazz",)), OneOf("track_id", ("a",))), "acf"),
        (AtLeast(2, (OneOf("label", ("Rock",)), Within("year", gte=1990), Within("duration_s", gt=150))), "afg"),
    ],
)
def test_the_rows_that_pass(predicate: Predicate, wanted: str):
    assert passing(predicate) == wanted


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        (OneOf("bpm", ("1",)), "no column 'bpm'"),
        (OneOf("year", ("1990",)), "year: got .*int32"),
        (OneOf("label", (1,)), "label: got .*string"),
        (OneOf("duration_s", (1,)), "duration_s: got .*double"),
        (OneOf("year", (True,)), "year: got"),
        (Within("label", gt=1), "wanted a column of numbers or times"),
        (Within("year", gt=DAYS[0]), "wanted a number"),
        (Within("added_at", lt=5), "wanted a time"),
    ],
)
def test_a_condition_that_does_not_fit_its_column_is_an_error(predicate: Predicate, message: str):
    with pytest.raises(SearchError, match=message):
        rows_passing(TRACKS, predicate)


def test_filters_take_a_predicate_beside_the_others():
    both = Filters(label=["rock"], where=Within("year", lt=1995))
    assert matching(COLUMNS, both).tolist() == [True] + [False] * 7
    with pytest.raises(NoMatchError, match="where 0"):
        matching(COLUMNS, Filters(where=OneOf("label", ("no such label",))))


BOUNDS = st.none() | st.sampled_from([-1, 0, 1990, 1990.5, 2005, 200.5, 1e9])
TIMES = st.none() | st.sampled_from(DAYS)


def ranges(column: str, bounds: st.SearchStrategy) -> st.SearchStrategy[Predicate]:
    return st.builds(Within, st.just(column), gt=bounds, gte=bounds, lt=bounds, lte=bounds)


LEAVES = st.one_of(
    st.builds(OneOf, st.just("label"), st.lists(st.sampled_from(["Rock", "rock", "", "é", "élan"])).map(tuple)),
    st.builds(OneOf, st.just("year"), st.lists(st.sampled_from([1990, 2005, -1, 7])).map(tuple)),
    st.builds(Unknown, st.sampled_from(TRACKS.column_names)),
    ranges("year", BOUNDS),
    ranges("duration_s", BOUNDS),
    ranges("added_at", TIMES),
)


def grown(parts: st.SearchStrategy[Predicate]) -> st.SearchStrategy[Predicate]:
    several = st.lists(parts, max_size=4).map(tuple)
    return st.builds(Not, parts) | st.builds(AllOf, several) | st.builds(AtLeast, st.integers(0, 4), several)


def in_pandas(predicate: Predicate) -> pd.Series:
    match predicate:
        case OneOf(column, values):
            return FRAME[column].isin(list(values))
        case Unknown(column):
            return FRAME[column].isna()
        case Within(column, gt, gte, lt, lte):
            values, mask = FRAME[column], FRAME[column].notna()
            mask &= True if gt is None else values > gt
            mask &= True if gte is None else values >= gte
            mask &= True if lt is None else values < lt
            return mask & (True if lte is None else values <= lte)
        case Not(part):
            return ~in_pandas(part)
        case AllOf(parts):
            return pd.Series(np.all([np.ones(len(FRAME), bool), *map(in_pandas, parts)], axis=0))
        case AtLeast(n, parts):
            return pd.Series(np.sum([np.zeros(len(FRAME), int), *map(in_pandas, parts)], axis=0) >= n)
        case _:
            raise AssertionError(predicate)


@given(st.recursive(LEAVES, grown, max_leaves=12))
@settings(deadline=None, max_examples=300)
def test_any_tree_passes_the_rows_that_pandas_finds(predicate: Predicate):
    assert rows_passing(TRACKS, predicate).tolist() == in_pandas(predicate).tolist()


def test_a_mask_of_rows_combines_with_conditions():
    mask = np.array([True, False] * 4)
    assert passing(Rows(mask)) == "aceg"
    assert passing(AllOf((Not(Rows(mask)), OneOf("label", ("Jazz",))))) == "f"
    assert matching(COLUMNS, Filters(label=["rock"], where=Rows(mask))).tolist() == [True, *[False] * 5, True, False]
    with pytest.raises(SearchError, match=r"a mask of shape \(3,\), wanted \(8,\): it is another catalog's"):
        passing(Rows(mask[:3]))
