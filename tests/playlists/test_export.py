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
    assert (row["title"], row["label"]) == (r"Two\nLines, and a comma", "")
    assert json.loads(export_playlist(document, "json")) == document


def test_lines_of_strangers_are_escaped():
    path = "/music/a\n#EXTINF:1,b\x1b.mp3"
    entry = ENTRY | {"title": "\x1b[2J\u202e", "artist": "x" * 100_000, "uri": path, "address": address_of(path)}
    text = export_playlist({"name": "a\x07", "entries": [entry]}, "m3u8")
    lines = text.splitlines()
    assert lines[:2] == ["#EXTM3U", r"#PLAYLIST:a\x07"]
    assert lines[2].endswith(r"… - \x1b[2J\u202e")
    assert lines[3:] == ["file:///music/a%0A%23EXTINF%3A1%2Cb%1B.mp3"]
    assert len(text) < 1000


def test_a_spreadsheet_computes_no_cell():
    tags = {"title": "=HYPERLINK(1)", "artist": "@A", "album": "+1", "label": "-"}
    entry = ENTRY | tags | {"track_id": "-1", "step": -1.5}
    (row,) = csv.DictReader(io.StringIO(export_playlist({"name": "a", "entries": [entry]}, "csv")))
    values = [row[name] for name in ("track_id", "title", "artist", "album", "label", "step")]
    assert values == ["-1", "'=HYPERLINK(1)", "'@A", "'+1", "'-", "-1.5"]


def test_refuses_other_formats():
    with pytest.raises(SearchError, match="got 'pls', wanted m3u8, csv or json"):
        export_playlist({"name": "a", "entries": []}, "pls")
