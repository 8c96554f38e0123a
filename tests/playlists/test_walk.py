"""Playlists over made-up tracks: length, waypoints, rules, smoothness, and bad requests."""

from dataclasses import replace

import numpy as np
import pytest

from audioae.errors import SearchError
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.path import angles
from audioae.playlists.pool import PlaylistTracks
from audioae.playlists.smoothness import step_angles
from audioae.playlists.walk import make_playlist
from tests.playlists.made import made_tracks
from tests.search.made import clustered


def artists_apart(tracks: PlaylistTracks, rows: np.ndarray, window: int) -> bool:
    names = tracks.artists[rows]
    return all(len(set(names[i : i + window])) == window for i in range(len(names) - window + 1))


def test_keeps_length_waypoints_and_rules():
    tracks = made_tracks()
    playlist = make_playlist(tracks, [3, 90, 7], PlaylistOptions(n=20, artist_window=5, max_per_artist=2))
    assert len(set(playlist.rows.tolist())) == 20
    assert playlist.rows[playlist.waypoints].tolist() == [3, 90, 7]
    assert (playlist.rows[0], playlist.rows[-1]) == (3, 7)
    assert artists_apart(tracks, playlist.rows, 5)
    assert np.unique(tracks.artists[playlist.rows], return_counts=True)[1].max() <= 2
    assert playlist.relaxed == {}
    np.testing.assert_allclose(playlist.steps, step_angles(tracks.embeddings[playlist.rows]))
    assert playlist.off_path[playlist.waypoints] == pytest.approx(np.zeros(3), abs=1e-2)


def test_is_smoother_than_the_nearest_tracks_and_random_order():
    tracks, rng = made_tracks(), np.random.default_rng(0)
    better = []
    for _ in range(20):
        found = make_playlist(tracks, rng.choice(200, 2, replace=False).tolist(), PlaylistOptions(n=20)).smoothness
        assert found["straight line"]["largest"] <= found["playlist"]["largest"]
        assert found["straight line"]["mean"] <= found["playlist"]["mean"] <= found["random order"]["mean"]
        better.append(all(found["playlist"][key] <= found["nearest"][key] for key in ("mean", "largest")))
    assert np.mean(better) >= 0.9


def test_is_reproducible_and_varies_with_the_seed():
    tracks = made_tracks()
    runs = [make_playlist(tracks, [3, 7], PlaylistOptions(n=12, seed=s)).rows.tolist() for s in (None, None, 1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[2] == runs[3]
    assert len({tuple(run) for run in runs}) == 3


def test_meets_the_duration_within_its_tolerance():
    tracks = made_tracks()
    playlist = make_playlist(tracks, [3, 7], PlaylistOptions(duration_s=3_600, tolerance_s=20))
    assert tracks.durations_s[playlist.rows].sum() == pytest.approx(3_600, abs=20)
    assert playlist.relaxed == {}


def test_unknown_durations_count_as_the_default():
    tracks = made_tracks()
    playlist = make_playlist(
        replace(tracks, durations_s=np.full(200, np.nan)), [3, 7], PlaylistOptions(duration_s=1_800, tolerance_s=60)
    )
    assert len(playlist.rows) == 10


@pytest.mark.parametrize("name", ["tempo", "energy"])
def test_curve_is_monotone_with_bounded_steps(name: str):
    tracks = made_tracks(600)
    values = tracks.values[name]
    low, high = np.argsort(values)[[60, 540]].tolist()
    bound = 0.15 * float(np.ptp(values))
    curve = Curve(monotone=True, max_step=bound)
    for ends in ([low, high], [high, low]):
        playlist = make_playlist(tracks, ends, PlaylistOptions.model_validate({"n": 15, name: curve}))
        steps = np.diff(values[playlist.rows])
        assert playlist.relaxed == {}
        assert (steps * np.sign(values[ends[1]] - values[ends[0]]) >= 0).all()
        assert np.abs(steps).max() <= bound + 1e-6


def test_does_not_pick_tracks_of_unknown_tempo_if_it_has_a_curve():
    tracks = made_tracks()
    tempo = tracks.values["tempo"].copy()
    tempo[::2] = np.nan
    playlist = make_playlist(
        replace(tracks, values={"tempo": tempo}), [4, 7], PlaylistOptions(n=8, tempo=Curve(max_step=30))
    )
    assert np.isfinite(tempo[playlist.rows[1:]]).all()


def test_picks_only_allowed_tracks_but_keeps_the_waypoints():
    tracks = made_tracks()
    allowed = np.arange(200) >= 150
    playlist = make_playlist(replace(tracks, allowed=allowed), [3, 7], PlaylistOptions(n=10))
    assert allowed[playlist.rows[1:-1]].all()
    assert (playlist.rows[0], playlist.rows[-1]) == (3, 7)


def test_picks_one_of_several_copies():
    tracks = made_tracks(60)
    embeddings = tracks.embeddings.copy()
    embeddings[30:] = embeddings[:30]
    twice = replace(tracks, embeddings=embeddings, groups=np.arange(60) % 30)
    playlist = make_playlist(twice, [3, 7], PlaylistOptions(n=25, artist_window=1, max_per_artist=None))
    assert len(set((playlist.rows % 30).tolist())) == 25
    with pytest.raises(SearchError, match=r"n=31: only 30 different tracks .* 30 are copies of another"):
        make_playlist(twice, [3, 7], PlaylistOptions(n=31))
    both = make_playlist(twice, [3, 33], PlaylistOptions(n=5))
    assert (both.rows[0], both.rows[-1]) == (3, 33)


def test_similar_tracks_are_not_copies():
    tracks = made_tracks(20)
    near = tracks.embeddings[:1] + 0.005 * clustered(20, seed=5)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    alike = replace(tracks, embeddings=near, durations_s=np.full(20, 5.0), artists=np.full(20, "", object))
    assert len(make_playlist(alike, [3, 7], PlaylistOptions(n=20)).rows) == 20


def test_seamless_makes_transitions_smaller():
    tracks = made_tracks()
    first, last = clustered(200, seed=8), clustered(200, seed=9)
    tracks = replace(tracks, edges=lambda rows: (first[rows], last[rows]))
    seams = []
    for weight in (0.0, 2.0):
        rows = make_playlist(tracks, [3, 7], PlaylistOptions(n=15, seamless=weight)).rows
        seams.append(angles(last[rows[:-1]], first[rows[1:]]).diagonal().mean())
    assert seams[1] < 0.8 * seams[0]


@pytest.mark.parametrize(
    ("waypoints", "options", "message"),
    [
        ([3], {"n": 5}, "got 1, wanted at least 2"),
        ([3, 3], {"n": 5}, "a track occurs twice"),
        ([3, 4, 5], {"n": 2}, "n=2: wanted at least 3, the number of waypoints"),
        ([3, 4], {"n": 201}, "only 200 different tracks are left of 200"),
        ([3, 4], {"duration_s": 500_000}, r"200 tracks that pass the filters last only \d+ s in total"),
        ([3, 4], {"n": 5, "seamless": 1.0}, "seamless: needs embeddings of the first and last clips"),
    ],
)
def test_refuses_bad_requests(waypoints: list[int], options: dict, message: str):
    with pytest.raises(SearchError, match=message):
        make_playlist(made_tracks(), waypoints, PlaylistOptions(**options))


def test_refuses_filters_that_leave_too_few_tracks():
    tracks = replace(made_tracks(), allowed=np.zeros(200, bool))
    assert make_playlist(tracks, [3, 4], PlaylistOptions(n=2)).rows.tolist() == [3, 4]
    with pytest.raises(SearchError, match="n=3: only 2 different tracks are left of 200: the filters leave 2"):
        make_playlist(tracks, [3, 4], PlaylistOptions(n=3))


def test_refuses_a_curve_of_unknown_values():
    with pytest.raises(SearchError, match="tempo: cannot follow a curve, because it is known for none of the tracks"):
        make_playlist(replace(made_tracks(), values={}), [3, 4], PlaylistOptions(n=5, tempo=Curve(max_step=5)))
    unknown = replace(made_tracks(), values={"tempo": np.full(200, np.nan)})
    with pytest.raises(SearchError, match="2 of them have the values that the rules need"):
        make_playlist(unknown, [3, 4], PlaylistOptions(n=5, tempo=Curve(max_step=5)))


def test_refuses_more_than_500_tracks():
    with pytest.raises(SearchError, match=r"needs about \d+ tracks, the maximum is 500"):
        make_playlist(made_tracks(3_000), [3, 4], PlaylistOptions(duration_s=200_000))


def test_catalog_of_three_tracks():
    playlist = make_playlist(made_tracks(3), [0, 2], PlaylistOptions(n=3, artist_window=1))
    assert playlist.rows.tolist() == [0, 1, 2]
