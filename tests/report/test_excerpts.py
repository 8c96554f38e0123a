"""Tracks on a page have one key each, and excerpts that can be seen and heard, up to a limit."""

import pyarrow as pa
import pytest

from audioae.library.catalog_columns import CatalogColumns
from audioae.pages.report_page import ReportData
from audioae.report import excerpts
from audioae.report.build import make_report
from audioae.report.excerpts import PageTracks
from audioae.store.dataset import Store

CATALOG = CatalogColumns.of(
    pa.table(
        {
            "track_id": ["a", "b"],
            "uri": ["/music/one.mp3", "/music/two.mp3"],
            "path_bytes": pa.nulls(2, pa.binary()),
            "title": ["One", None],
            "artist": [None, "Artist"],
            "label": [None, "jazz"],
            "shard": [0, 1],
        }
    )
)


def test_key_is_the_row_or_a_text():
    tracks = PageTracks(CATALOG, ["b", "a"])
    assert [tracks.key("a"), tracks.key("b"), tracks.key("a")] == [1, 0, 1]
    other = tracks.key("a", 2.5)
    assert isinstance(other, str)
    assert tracks.key("a", 2.5) == other
    assert len({tracks.key("a", 3.0), tracks.key("unknown"), other}) == 3


def test_track_without_title_shows_its_file_and_unknown_track_its_id():
    tracks = PageTracks(CATALOG)
    keys = [tracks.key(track_id) for track_id in ("a", "b", "unknown")]
    shown = tracks.as_shown({})
    assert [shown[key].title for key in keys] == ["One", "two", "unknown"]
    assert [(shown[key].artist, shown[key].label) for key in keys] == [("", ""), ("Artist", "jazz"), ("", "")]
    assert all(track.mel is None and track.clip is None for track in shown.values())


def test_every_track_on_the_map_can_be_seen_and_heard(data: ReportData):
    assert data.metadata is not None
    for row in range(data.metadata.n):
        track = data.tracks[row]
        assert track.clip is not None
        assert track.clip[:2] == b"\xff\xf3"
        assert track.mel is not None
        assert track.mel.shape == (128, 130)


def test_excerpts_are_limited_and_sections_come_before_the_map(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(excerpts, "MAX_EXCERPTS", 12)
    data = make_report(store)
    with_sound = {key for key, track in data.tracks.items() if track.clip}
    assert len(with_sound) == 12
    assert {entry["key"] for entry in data.walks[0]["entries"]} <= with_sound
