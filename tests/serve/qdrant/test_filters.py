"""Filters against Qdrant's own reading of them, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from qdrant_client import models
from qdrant_client.local.payload_filters import check_filter

from audioae.library.predicates import rows_passing
from audioae.serve.qdrant.body import explain
from audioae.serve.qdrant.filters import Filter, FilterModel, filters_of
from audioae.serve.qdrant.ids import point_id_of

FILTER = TypeAdapter(Filter)
N = 40
DAYS = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=7 * i) for i in range(N)]
LABELS, YEARS, SECONDS = ["Rock", "rock", "Jazz", "", None], [1990, 1991, 2005, None], [100.0, 200.5, None]
ROWS: list[dict[str, Any]] = [
    {
        "track_id": f"{i * 977:016x}" if i % 3 else f"own-{i}",
        "title": f"Title {i % 9}",
        "artist": f"artist {i % 4}" if i % 7 else None,
        "album": None,
        "label": LABELS[i % 5],
        "uri": f"/music/{i}.mp3",
        "year": YEARS[i % 4],
        "duration_s": SECONDS[i % 3],
        "added_at": DAYS[i],
    }
    for i in range(N)
]
TYPES = {"year": pa.int32(), "duration_s": pa.float64(), "added_at": pa.timestamp("us", "UTC")}
TRACKS = pa.table({key: pa.array([row[key] for row in ROWS], TYPES.get(key, pa.string())) for key in ROWS[0]})
PAYLOADS = [{**row, "added_at": row["added_at"].isoformat()} for row in ROWS]
IDS = [point_id_of(row["track_id"]) for row in ROWS]


def passing(filter_: models.Filter) -> list[bool]:
    """The rows that pass, by way of the JSON that the client sends."""
    model = FILTER.validate_json(filter_.model_dump_json(exclude_unset=True, exclude_none=True, by_alias=True))
    return rows_passing(TRACKS, model.to_predicate()).tolist()


def wanted(filter_: models.Filter) -> list[bool]:
    return [check_filter(filter_, payload, point_id, {}) for payload, point_id in zip(PAYLOADS, IDS, strict=True)]


TEXT_KEYS = st.sampled_from(["label", "artist", "title", "album", "track_id"])
WORDS = st.sampled_from(["Rock", "rock", "", "artist 1", "artist 2", "Title 3", "own-3", "no such"])
NUMBERS = st.none() | st.sampled_from([1989.5, 1990, 1991, 2005, 100, 200.5, -1e300])
TIMES = st.none() | st.sampled_from([*DAYS[:12], DAYS[3].replace(tzinfo=None), DAYS[2] + timedelta(microseconds=1)])
ENDS = ("gt", "gte", "lt", "lte")


def conditions() -> st.SearchStrategy:
    number, time = dict.fromkeys(ENDS, NUMBERS), dict.fromkeys(ENDS, TIMES)
    matches = st.one_of(
        st.builds(models.MatchValue, value=WORDS),
        st.builds(models.MatchAny, any=st.lists(WORDS, max_size=4)),
        st.builds(lambda words: models.MatchExcept(**{"except": words}), st.lists(WORDS, max_size=4)),
    )
    years = st.builds(models.MatchValue, value=st.sampled_from([1990, 2005, 0]))
    years |= st.builds(models.MatchAny, any=st.lists(st.sampled_from([1991, 2005, 2**70]), min_size=1, max_size=3))
    field = models.FieldCondition
    keys = st.sampled_from([*ROWS[0]])
    return st.one_of(
        st.builds(field, key=TEXT_KEYS, match=matches),
        st.builds(field, key=st.just("year"), match=years),
        st.builds(field, key=st.sampled_from(["year", "duration_s"]), range=st.builds(models.Range, **number)),
        st.builds(field, key=st.just("added_at"), range=st.builds(models.DatetimeRange, **time)),
        st.builds(field, key=keys, is_null=st.booleans()),
        st.builds(field, key=keys, is_empty=st.booleans()),
        st.builds(models.IsNullCondition, is_null=st.builds(models.PayloadField, key=keys)),
        st.builds(models.IsEmptyCondition, is_empty=st.builds(models.PayloadField, key=keys)),
        st.builds(models.HasIdCondition, has_id=st.lists(st.sampled_from([*IDS, 5, "own-5"]), max_size=5)),
    )


def filters(parts: st.SearchStrategy) -> st.SearchStrategy[models.Filter]:
    several = st.none() | st.lists(parts, max_size=3) | parts
    enough = st.builds(models.MinShould, conditions=st.lists(parts, max_size=4), min_count=st.integers(1, 3))
    return st.builds(models.Filter, must=several, must_not=several, should=several, min_should=st.none() | enough)


@given(filters(st.recursive(conditions(), filters, max_leaves=6)))
@settings(deadline=None, max_examples=300)
def test_any_filter_passes_what_qdrant_passes(filter_: models.Filter):
    assert passing(filter_) == wanted(filter_)


def test_an_empty_filter_states_nothing():
    assert not filters_of(None)
    assert not filters_of(FilterModel())
    assert not filters_of(FilterModel.model_validate({"must": [], "should": None}))


def field(**parts: Any) -> dict[str, Any]:
    return {"must": [{"key": "year", **parts}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (field(geo_radius={"radius": 1}), "must[0].geo_radius is not supported"),
        (field(geo_bounding_box={}), "must[0].geo_bounding_box is not supported"),
        (field(geo_polygon={}), "must[0].geo_polygon is not supported"),
        (field(values_count={"gt": 1}), "must[0].values_count is not supported"),
        ({"must": [{"key": "title", "match": {"text": "x"}}]}, "must[0].match.text is not supported"),
        ({"must": [{"key": "title", "match": {"phrase": "x"}}]}, "must[0].match.phrase is not supported"),
        ({"must": [{"key": "title", "match": {"prefix": "x"}}]}, "must[0].match.prefix is not supported"),
        ({"must": [{"nested": {"key": "a", "filter": {}}}]}, "must[0].nested is not supported"),
        ({"must_not": [{"has_vector": "x"}]}, "must_not[0].has_vector is not supported"),
        ({"must_not": {"slice": {"total": 2, "index": 0}}}, "must_not[0].slice is not supported"),
        ({"mustt": []}, "mustt is not supported"),
        ({"should": [{"must": [field(geo_radius={})]}]}, "should[0].must[0].must[0].geo_radius is not supported"),
        ({"min_should": {"conditions": [field(x=1)], "min_count": 1}}, "min_should.conditions[0].must[0].x is not"),
        ({"min_should": {"conditions": [], "min_count": 0}}, "min_should.min_count: Input should be greater than"),
        ({"min_should": {"conditions": []}}, "min_should.min_count is missing"),
        ({"must": [{"key": "bpm", "match": {"value": 1}}]}, "must[0].key: Input should be 'track_id', 'title'"),
        ({"must": [{"match": {"value": 1}}]}, "must[0].key is missing"),
        ({"must": ["label"]}, "must[0]: wanted a condition; got 'label'"),
        ({"must": [{"key": "label"}]}, "must[0]: wanted one of match, range, is_empty and is_null"),
        (field(match={"value": 1990}, range={"gt": 1}), "must[0]: wanted one of match, range, is_empty and is_null"),
        (field(match={}), "must[0].match: wanted one of value, any and except"),
        (field(match={"value": 1, "any": [2]}), "must[0].match: wanted one of value, any and except"),
        (field(match={"value": "1990"}), "must[0]: match: year is of the type integer"),
        (field(match={"value": True}), "must[0].match.value: wanted a text or a whole number; got True"),
        (field(match={"value": 1990.0}), "must[0].match.value: Input should be a valid integer; got 1990.0"),
        (field(range={"gte": "2026-01-01"}), "must[0]: range: year is of the type integer"),
        (field(range={"above": 1}), "must[0].range.above is not supported"),
        ({"must": [{"key": "label", "match": {"any": ["a", 1]}}]}, "must[0]: match: label is of the type keyword"),
        ({"must": [{"key": "label", "range": {"gt": 1}}]}, "must[0]: range is not supported for label, which is a"),
        ({"must": [{"key": "added_at", "range": {"gt": 1}}]}, "must[0]: range: added_at is of the type datetime"),
        (
            {"must": [{"key": "added_at", "range": {"gt": "noon"}}]},
            "must[0].range.gt: Invalid isoformat string: 'noon'",
        ),
        ({"must": [{"key": "added_at", "match": {"value": "x"}}]}, "must[0]: match is not supported for added_at; use"),
        ({"must": [{"key": "duration_s", "match": {"value": 3}}]}, "must[0]: match is not supported for duration_s;"),
        ({"must": [{"has_id": [-1]}]}, "must[0].has_id[0]: Input should be greater than or equal to 0; got -1"),
        ({"must": [{"has_id": 5}]}, "must[0].has_id: Input should be a valid list; got 5"),
        (
            {"must": [{"key": "label", "match": {"value": "\ud800"}}]},
            "must[0].match.value: Input should be a valid str",
        ),
        ({"must": [{"must": []}] * 60, "should": [{"must": [{"must": []}]}] * 30}, "wanted at most 100 conditions in"),
    ],
)
def test_what_is_not_supported_is_named(body: dict[str, Any], message: str):
    with pytest.raises(ValidationError) as error:
        FILTER.validate_python(body)
    assert message in explain(error.value.errors())
