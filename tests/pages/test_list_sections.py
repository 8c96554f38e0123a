"""Playlists and recommendations list their tracks in order, with steps and reasons."""

from audioae.pages.list_sections import playlists, recommendations
from audioae.pages.shell import PageTrack
from tests.pages.made import HtmlReader, text_of, unavailable
from tests.pages.report_data import LISTENER, TRACKS, VECTORS, WALK


def test_playlist_lists_its_tracks_with_their_steps():
    body = playlists([WALK], VECTORS, TRACKS, "").body
    text = text_of(body)
    assert text.count("step 0.50") == 3
    assert "1. Title 0 Other a · start" in text
    assert "4. Title 3 Other a · step 0.50" in text
    assert [attrs["data-row"] for attrs in HtmlReader(body).all("button")] == ["0", "1", "2", "3"]


def test_playlist_names_the_rules_that_it_relaxed():
    relaxed = playlists([WALK | {"gave_way": {"artist_window": "twice"}}], VECTORS, TRACKS, "").body
    assert "Relaxed rule: artist window (twice)." in text_of(relaxed)
    kept = text_of(playlists([WALK | {"gave_way": {}}], VECTORS, TRACKS, "").body)
    assert "All rules are kept." in kept
    assert "Relaxed" not in kept


def test_recommendation_names_the_tracks_that_speak_for_it():
    tracks = {**TRACKS, "x1": PageTrack("Rain"), 1: PageTrack("New")}
    text = text_of(recommendations([LISTENER], tracks, "").body)
    assert "1. New 0.90 · taste 2 · because of Title 2 and Rain" in text


def test_reasons_for_missing_lists():
    assert unavailable(playlists([], VECTORS, TRACKS, "too few tracks").body) == ["too few tracks"]
    assert unavailable(recommendations([], TRACKS, "no play log").body) == ["no play log"]
