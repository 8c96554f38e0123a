"""Rules: their directions, and what is reported when they are relaxed or contradict each other."""

from dataclasses import replace

import numpy as np
import pytest

from audioae.errors import SearchError
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.pool import POOL, corridor, make_problem
from audioae.playlists.rules import Problem, directions, lookahead_cost
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


def problem_of_five(options: PlaylistOptions) -> Problem:
    """Playlists of four of five tracks, from track 0 to track 1."""
    return Problem(
        step=np.zeros((5, 5)),
        far=np.zeros((4, 5)),
        fixed={0: 0, 3: 1},
        group=np.arange(5),
        artist=np.array([0, 1, 0, 2, 1]),
        duration_s=np.array([200.0, 200.0, 100.0, 300.0, 160.0]),
        values={"tempo": np.array([100.0, 130.0, 90.0, 110.0, 140.0])},
        options=options,
    )


FREE = {"n": 4, "artist_window": 1, "max_per_artist": None}
TEMPO = {**FREE, "tempo": Curve(monotone=True, max_step=15)}


@pytest.mark.parametrize(
    ("beginning", "options", "expected"),
    [
        ([0], FREE, [0, 0, 0, 0, 0]),
        # 130: a step of 30; 90: downwards, and too far from 130 for two steps; 140: a step of 40, and beyond 130.
        # The last term: 2 (share of the way - share of the steps)^2 if the curve is ahead.
        ([0], TEMPO, [0, 1e4 + 2 * (2 / 3) ** 2, 1.5e4, 0, 1.5e4 + 2]),
        # One step is left: only 110 (with a step of 10 before and 20 after) is out of reach and not a violation yet.
        ([0, 0], TEMPO, [0.5e4, 1e4 + 2 / 9, 1.5e4, 0.5e4, 1.5e4 + 2 * (2 / 3) ** 2]),
        ([0], {**FREE, "artist_window": 3}, [2e4, 2e4, 2e4, 0, 2e4]),  # artist 0 just before, artist 1 two after
        ([0, 3], {**FREE, "artist_window": 3}, [2e4, 2e4, 2e4, 2e4, 2e4]),
        ([0, 3], {**FREE, "artist_window": 2}, [0, 2e4, 0, 2e4, 2e4]),
        ([0, 2], {**FREE, "max_per_artist": 2}, [3e4, 0, 3e4, 0, 0]),
        ([0, 3], {**FREE, "max_per_artist": 1}, [3e4, 3e4, 3e4, 3e4, 3e4]),  # artist 1 is that of the last track
        # After two of four tracks, 350 s are on pace, and 20 s are tolerated.
        (
            [0],
            {**FREE, "n": None, "duration_s": 700, "tolerance_s": 20},
            [0.1 * (off / 192) ** 2 for off in (30, 30, 30, 130, 0)],
        ),
    ],
)
def test_costs_of_what_must_follow_by_hand(beginning: list[int], options: dict, expected: list[float]):
    cost = lookahead_cost(problem_of_five(PlaylistOptions(**options)), np.array([beginning]))
    assert np.broadcast_to(cost, (1, 5))[0] == pytest.approx(expected)
