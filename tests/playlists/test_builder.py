"""Playlists over a finished chain: the document, waypoints, filters, copies and bad input."""

import json

import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.library.filters import Filters
from audioae.playlists.builder import Playlists
from audioae.playlists.options import PlaylistOptions
from tests.playlists.made import NO_ARTIST_RULES
from tests.stores import made_store


def test_document_describes_every_track(playlists: Playlists, ids: list[str]):
    answer = playlists.make([ids[0], ids[5]], PlaylistOptions(n=6, **NO_ARTIST_RULES))
    document = answer.document
    entries = document["entries"]
    assert [entry["position"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [entry["track_id"] for entry in entries] == [ids[row] for row in answer.playlist.rows]
    assert (entries[0]["track_id"], entries[-1]["track_id"]) == (ids[0], ids[5])
    assert [entry["waypoint"] for entry in entries] == [True, *[False] * 4, True]
    assert entries[0]["step"] is None
    assert entries[1]["step"] == pytest.approx(answer.playlist.steps[0])
    assert all(-60 < entry["energy"] < 0 and entry["duration_s"] > 5 for entry in entries)
    assert document["duration_s"] == pytest.approx(sum(entry["duration_s"] for entry in entries))
    assert set(document["smoothness"]) == {"playlist", "nearest", "random order", "straight line"}
    json.dumps(document)


def test_accepts_titles_and_filters(playlists: Playlists, library: Library, ids: list[str]):
    title = library.find(ids[0]).title
    options, filters = PlaylistOptions(n=5, **NO_ARTIST_RULES), Filters(deny=ids[2:10])
    entries = playlists.make([str(title), ids[1]], options, filters).document["entries"]
    assert entries[0]["track_id"] == ids[0]
    assert not {entry["track_id"] for entry in entries} & set(ids[2:10])


def test_copies_share_a_recording(tmp_path):
    """t05 and t06 are near copies of t00, so a playlist of 10 tracks contains at most one of the three."""
    store = made_store(tmp_path / "store", 12, copies={5: 0, 6: 0})
    tracks = Playlists(Library(store)).tracks()
    assert tracks.groups is not None
    assert len(set(tracks.groups[[0, 5, 6]])) == 1
    assert len(set(tracks.groups)) == 10
    with pytest.raises(SearchError, match="n=11: only 10 different tracks"):
        Playlists(Library(store)).make(["t01", "t02"], PlaylistOptions(n=11, **NO_ARTIST_RULES))


def test_refuses_bad_input(playlists: Playlists, ids: list[str]):
    options = PlaylistOptions(n=5)
    with pytest.raises(SearchError, match="no track 'nothing like it'"):
        playlists.make([ids[0], "nothing like it"], options)
    with pytest.raises(SearchError, match="is an audio file, but a playlist contains only tracks of"):
        playlists.make([ids[0], __file__], options)
    with pytest.raises(SearchError, match="a track occurs twice"):
        playlists.make([ids[0], ids[0]], options)
    with pytest.raises(SearchError, match="no track has the label 'Polka'"):
        playlists.make([ids[0], ids[1]], options, Filters(label=["Polka"]))
