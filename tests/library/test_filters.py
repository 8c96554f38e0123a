"""Filters on a table of tracks."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from audioae.errors import SearchError
from audioae.library.catalog_columns import CatalogColumns
from audioae.library.filters import Filters, check_known, matching

TRACKS = pa.table(
    {
        "track_id": ["a", "b", "c", "d", "e"],
        "artist": ["Ada", "Ada", "Bo", None, "Élan"],
        "album": ["X", "Y", "X", None, "x"],
        "label": ["Rock", "Jazz", "rock", None, "Folk"],
        "year": pa.array([1990, 1999, 2005, None, 2010], pa.int32()),
        "duration_s": pa.array([100.0, 200.0, 300.0, 250.0, None]),
        "added_at": pa.array([datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)], pa.timestamp("us", "UTC")),
    }
)

COLUMNS = CatalogColumns.of(TRACKS)


def passing(**filters) -> str:
    mask = matching(COLUMNS, Filters(**filters))
    return "".join(TRACKS["track_id"].filter(pa.array(mask)).to_pylist())


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, "abcde"),
        ({"label": ["rock"]}, "ac"),
        ({"label": ["ROCK", "folk"]}, "ace"),
        ({"artist": ["ada"], "album": ["x"]}, "a"),
        ({"artist": ["élan"]}, "e"),
        ({"year": (1999, None)}, "bce"),
        ({"year": (1990, 1999)}, "ab"),
        ({"duration_s": (None, 250)}, "abd"),
        ({"added_after": datetime(2026, 1, 4, tzinfo=UTC)}, "de"),
        ({"added_after": datetime(2026, 1, 4)}, "de"),
        ({"allow": ["c", "d"]}, "cd"),
        ({"deny": ["c", "d"]}, "abe"),
        ({"allow": ["c", "d"], "deny": ["d"]}, "c"),
        ({"allow": ["c", "no such track"], "deny": ["nor this", ""]}, "c"),
    ],
)
def test_what_passes(filters: dict, wanted: str):
    assert passing(**filters) == wanted


def test_only_a_filter_that_was_set_is_one():
    assert not Filters()
    assert Filters(allow=[])
    assert Filters(year=(None, 1))


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"label": ["rok"]}, "no track has the label 'rok'; known: 'rock'"),
        ({"label": ["polka"]}, "no track has the label 'polka'; known: 'Folk'"),
        ({"artist": ["Ada", "Zed"]}, "no track has the artist 'Zed'; known: "),
        ({"year": (2000, 1990)}, "year: got 2000 to 1990, wanted the smaller number first"),
        ({"allow": []}, "no track of 5 passes all filters; alone they leave: allow 0"),
        (
            {"label": ["folk"], "year": (None, 1995)},
            "passes all filters; alone they leave: label 1, year 1; drop or widen",
        ),
    ],
)
def test_what_cannot_be_answered_says_why(filters: dict, message: str):
    with pytest.raises(SearchError, match=message):
        passing(**filters)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"allow": ["a", "nope"]}, "allow: 1 of 2 track_ids are not in the catalog: 'nope'"),
        ({"allow": ["a"], "deny": ["nope"]}, "deny: 1 of 1"),
    ],
)
def test_track_ids_that_a_person_mistyped_are_named(filters: dict, message: str):
    check_known(COLUMNS, Filters(allow=["a"], deny=["b"]))
    check_known(COLUMNS, Filters())
    with pytest.raises(SearchError, match=message):
        check_known(COLUMNS, Filters(**filters))


def test_case_is_folded_on_both_sides():
    """Lower case is not enough: the last letter of a Greek word is another one there."""
    tracks = pa.table({"track_id": ["a", "b", "c"], "artist": ["ΟΔΟΣ", "Straße", "ſ"]})
    columns = CatalogColumns.of(tracks)
    for artist, passed in (("ΟΔΟΣ", "a"), ("οδος", "a"), ("οδοσ", "a"), ("STRASSE", "b"), ("straße", "b"), ("S", "c")):
        mask = matching(columns, Filters(artist=[artist]))
        assert "".join(tracks["track_id"].filter(pa.array(mask)).to_pylist()) == passed


def test_a_catalog_without_labels():
    tracks = pa.table({"track_id": ["a"], "label": pa.nulls(1, pa.string())})
    with pytest.raises(SearchError, match="this catalog has no labels"):
        matching(CatalogColumns.of(tracks), Filters(label=["rock"]))
