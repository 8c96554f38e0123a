"""A text names a track by ID, uri, whole title or a part of it, in this order."""

import os
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from audioae.errors import SearchError
from audioae.library.catalog_columns import CatalogColumns
from audioae.library.lookup import Lookup
from audioae.store.schemas import DATASETS

ROWS = [
    {"track_id": "t0", "uri": "/m/a.mp3", "title": "Night Drive", "artist": "A", "content_hash": "aa"},
    {"track_id": "t1", "uri": "/m/b.mp3", "title": "Night", "artist": "B", "content_hash": "bb"},
    {"track_id": "t2", "uri": "/m/c.mp3", "title": None, "artist": None, "content_hash": "bb"},
    {"track_id": "t3", "uri": "/m/d.mp3", "title": "t0", "artist": None, "content_hash": None},
    {"track_id": "t4", "uri": "/m/e.mp3", "title": "Rain", "artist": None, "content_hash": None},
    {"track_id": "t5", "uri": "/m/f.mp3", "title": "Rain", "artist": "C", "content_hash": None},
]


@pytest.fixture
def lookup() -> Lookup:
    rows = [{"shard": 0, "added_at": 0, **row} for row in ROWS]
    return Lookup(CatalogColumns.of(pa.Table.from_pylist(rows, schema=DATASETS["tracks"].schema)), "tracks@1")


@pytest.mark.parametrize(
    ("query", "track_id"),
    [("t1", "t1"), ("t0", "t0"), ("/m/c.mp3", "t2"), ("NIGHT", "t1"), ("drive", "t0"), ("night drive", "t0")],
)
def test_finds_by_id_then_uri_then_title(lookup: Lookup, query: str, track_id: str):
    assert lookup.find(query).track_id == track_id
    assert ROWS[lookup.find_row(query)]["track_id"] == track_id


def test_an_ambiguous_title_lists_the_tracks(lookup: Lookup):
    with pytest.raises(SearchError, match=r"'Rain' matches 2 tracks; name one by its track_id:\n  t4 .*\n  t5 "):
        lookup.find("Rain")


@pytest.mark.parametrize(
    ("query", "hint"), [("Nihgt Drive", "did you mean 'Night Drive'"), ("", "expected a track_id")]
)
def test_an_unknown_title_suggests_the_closest(lookup: Lookup, query: str, hint: str):
    with pytest.raises(SearchError, match=f"no track '{query}' among the 6 of tracks@1; {hint}"):
        lookup.find(query)


def test_finds_the_first_track_with_the_same_bytes(lookup: Lookup):
    assert [lookup.with_content(digest) for digest in ("bb", "aa", "cc")] == [1, 0, -1]


def test_row_of_an_id(lookup: Lookup):
    assert (lookup.row_of("t4"), lookup.row_of("Night")) == (4, -1)
    assert lookup.rows_of(["t2", "nothing"]).tolist() == [2, -1]


def test_a_query_that_is_not_utf8_is_compared_as_it_is_displayed():
    row = {"track_id": "a", "uri": "/caf\\xe9.mp3", "path_bytes": b"/caf\xe9.mp3", "title": "caf\\xe9", "shard": 0}
    row["added_at"] = datetime(2026, 1, 1, tzinfo=UTC)
    lookup = Lookup(CatalogColumns.of(pa.Table.from_pylist([row], schema=DATASETS["tracks"].schema)), "tracks@1")
    assert lookup.find(os.fsdecode(b"/caf\xe9.mp3")).track_id == "a"
    with pytest.raises(SearchError, match=r"no track 'no\\\\xe9'"):
        lookup.find(os.fsdecode(b"no\xe9"))
