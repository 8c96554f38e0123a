"""Rules: their directions, and what is reported when they are relaxed or contradict each other."""

from dataclasses import replace

import numpy as np
import pytest

from audioae.errors import SearchError
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.pool import POOL, corridor, make_problem
from audioae.playlists.rules import directions
from audioae.playlists.walk import make_playlist
from tests.playlists.made import made_tracks


def test_reports_relaxed_rules():
    alone = replace(made_tracks(), artists=np.full(200, "one", object))
    playlist = make_playlist(alone, [3, 7], PlaylistOptions(n=6))
    assert playlist.relaxed == {
        "artist_window": "9 pairs of tracks by one artist within 3 consecutive tracks",
        "max_per_artist": "6 tracks by one artist, wanted at most 3",
    }
    nobody = replace(alone, artists=np.full(200, "", object))
    assert make_playlist(nobody, [3, 7], PlaylistOptions(n=6)).relaxed == {}


def test_relaxes_the_duration_if_the_waypoints_alone_are_longer():
    playlist = make_playlist(made_tracks(), [3, 7], PlaylistOptions(duration_s=30, tolerance_s=5))
    assert len(playlist.rows) == 2
    total = made_tracks().durations_s[[3, 7]].sum()
    assert playlist.relaxed == {"duration": f"{total:.0f} s, wanted 30 +- 5 s"}
    assert 240 < total < 720


def test_strict_names_the_contradicting_rules():
    """Two artists must alternate, but they have different tempos, and the tempo must not change."""
    odd = np.arange(200) % 2
    tracks = replace(
        made_tracks(), artists=np.array(["a", "b"], object)[odd], values={"tempo": np.where(odd, 100.0, 140.0)}
    )
    with pytest.raises(
        SearchError, match=r"no playlist of 7 tracks .* keeps artist_window \(3\); change this rule, or drop strict"
    ):
        make_playlist(tracks, [3, 7], PlaylistOptions(n=7, max_per_artist=None, strict=True))
    steady = PlaylistOptions(n=7, artist_window=2, max_per_artist=None, tempo=Curve(max_step=10), strict=True)
    with pytest.raises(SearchError, match=r"keeps tempo \(.*\) and artist_window \(2\) together"):
        make_playlist(tracks, [3, 7], steady)
    for rule in ("tempo", "artist_window"):
        assert make_playlist(tracks, [3, 7], steady.without(rule)).relaxed == {}
    relaxed = make_playlist(tracks, [3, 7], steady.model_copy(update={"strict": False})).relaxed
    sentence = "6 violations in 6 steps; the largest step is 40, and the values at the waypoints are 100 to 100"
    assert relaxed == {"tempo": sentence}


def test_direction_of_a_curve_changes_at_waypoints():
    tracks = made_tracks()
    tempo = tracks.values["tempo"].copy()
    tempo[[3, 90, 7]] = 90, 150, 100
    options = PlaylistOptions(n=9, tempo=Curve(monotone=True))
    problem, _ = make_problem(
        replace(tracks, values={"tempo": tempo}), corridor(tracks, [3, 90, 7], options, POOL), 3, options, 9
    )
    turn = sorted(problem.fixed)[1]
    assert directions(problem, "tempo").tolist() == [1.0] * turn + [-1.0] * (8 - turn)
