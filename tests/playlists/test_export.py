"""Playlists as files."""

import csv
import io
import json
import os

import pytest

from audioae.catalog.paths import address_of
from audioae.errors import SearchError
from audioae.playlists.export import COLUMNS, export_playlist

ENTRY = dict.fromkeys(COLUMNS) | {
    "position": 1,
    "title": "Two\nLines, and a comma",
    "artist": "Zoë",
    "duration_s": 181.6,
    "uri": "/music/a b.mp3",
}


def test_m3u8_has_two_lines_per_track():
    text = export_playlist({"name": "a", "entries": [ENTRY, ENTRY | {"duration_s": None, "artist": None}]}, "m3u8")
    assert text.splitlines()[2:] == [
        "#EXTINF:182,Zoë - Two Lines, and a comma",
        "/music/a b.mp3",
        "#EXTINF:-1,Two Lines, and a comma",
        "/music/a b.mp3",
    ]


def test_a_name_that_is_not_utf8_has_an_address_in_m3u8():
    entry = ENTRY | {"uri": "/music/caf\\xe9.mp3", "address": address_of(os.fsdecode(b"/music/caf\xe9.mp3"))}
    text = export_playlist({"name": "a", "entries": [entry]}, "m3u8")
    assert text.splitlines()[3] == "file:///music/caf%E9.mp3"


def test_csv_and_json_can_be_read_back():
    document = {"name": "a", "entries": [ENTRY]}
    (row,) = csv.DictReader(io.StringIO(export_playlist(document, "csv")))
    assert (row["title"], row["label"]) == (ENTRY["title"], "")
    assert json.loads(export_playlist(document, "json")) == document


def test_refuses_other_formats():
    with pytest.raises(SearchError, match="got 'pls', wanted m3u8, csv or json"):
        export_playlist({"name": "a", "entries": []}, "pls")
