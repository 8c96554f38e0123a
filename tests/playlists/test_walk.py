"""Playlists over made-up tracks: the path, the rules, the search against all playlists there are, and the exports."""

import csv
import io
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from audioae.errors import SearchError
from audioae.playlists.export import COLUMNS, export_playlist
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.path import angles, interpolate, place_waypoints
from audioae.playlists.picture import preview_picture, walk_picture
from audioae.playlists.pool import POOL, Tracks, corridor, pose
from audioae.playlists.rules import BREACH, breaches, directions
from audioae.playlists.smoothness import step_angles
from audioae.playlists.walk import make_playlist
from tests.search.made import clustered


def made_tracks(n: int = 200, seed: int = 0, n_artists: int = 40) -> Tracks:
    rng = np.random.default_rng(seed)
    return Tracks(
        clustered(n, seed=seed + 1, n_artists=n_artists),
        np.array([f"artist {i}" for i in rng.integers(n_artists, size=n)], object),
        rng.uniform(120, 360, n),
        np.ones(n, bool),
        {"tempo": rng.uniform(80, 160, n), "energy": rng.uniform(-30, -8, n)},
    )


def artists_apart(tracks: Tracks, rows: np.ndarray, window: int) -> bool:
    names = tracks.artists[rows]
    return all(len(set(names[i : i + window])) == window for i in range(len(names) - window + 1))


class TestPath:
    def test_arc_has_even_angles_and_goes_through_its_waypoints(self):
        ends = clustered(3, seed=1)
        places = place_waypoints(ends, 12)
        points = interpolate(ends, places, "spherical")
        np.testing.assert_allclose(points[places], ends, atol=1e-5)
        for start, end in itertools.pairwise(places):
            steps = step_angles(points[start : end + 1])
            np.testing.assert_allclose(steps, steps[0], atol=1e-3)

    def test_chord_is_closer_at_its_ends_than_the_arc(self):
        ends = np.eye(2, 128, dtype=np.float32)
        steps = step_angles(interpolate(ends, np.array([0, 8]), "linear"))
        assert steps[0] < steps[4]
        assert steps.sum() == pytest.approx(np.pi / 2, abs=1e-3)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_same_and_opposite_ends_have_a_path(self, sign: int):
        end = clustered(1, seed=1)
        points = interpolate(np.concatenate([end, sign * end]), np.array([0, 4]), "spherical")
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(points[-1], sign * end[0], atol=1e-5)

    def test_waypoints_keep_room_even_where_they_are_alike(self):
        ends = np.concatenate([clustered(1, seed=1)] * 4 + [clustered(1, seed=2)])
        places = place_waypoints(ends, 5)
        assert places.tolist() == [0, 1, 2, 3, 4]
        assert (np.diff(place_waypoints(ends, 9)) >= 1).all()

    def test_angles_are_those_between_rows(self):
        a = clustered(5, seed=1)
        assert angles(a, a).diagonal() == pytest.approx(np.zeros(5), abs=1e-3)
        assert angles(a[:1], -a[:1])[0, 0] == pytest.approx(np.pi, abs=1e-3)


class TestPlaylist:
    def test_keeps_length_ends_and_rules(self):
        tracks = made_tracks()
        made = make_playlist(tracks, [3, 90, 7], PlaylistOptions(n=20, artist_window=5, max_per_artist=2))
        assert len(set(made.rows.tolist())) == 20
        assert made.rows[made.waypoints].tolist() == [3, 90, 7]
        assert (made.rows[0], made.rows[-1]) == (3, 7)
        assert artists_apart(tracks, made.rows, 5)
        assert np.unique(tracks.artists[made.rows], return_counts=True)[1].max() <= 2
        assert made.gave_way == {}
        np.testing.assert_allclose(made.steps, step_angles(tracks.embeddings[made.rows]))
        assert made.off_path[made.waypoints] == pytest.approx(np.zeros(3), abs=1e-2)

    def test_is_smoother_than_nearest_and_random_order(self):
        tracks, rng = made_tracks(), np.random.default_rng(0)
        better = []
        for _ in range(20):
            found = make_playlist(tracks, rng.choice(200, 2, replace=False).tolist(), PlaylistOptions(n=20)).smoothness
            assert found["straight line"]["largest"] <= found["playlist"]["largest"]
            assert found["straight line"]["mean"] <= found["playlist"]["mean"] <= found["random order"]["mean"]
            better.append(all(found["playlist"][key] <= found["nearest"][key] for key in ("mean", "largest")))
        assert np.mean(better) >= 0.9

    def test_the_same_question_has_the_same_answer_and_seeds_vary_it(self):
        tracks = made_tracks()
        runs = [
            make_playlist(tracks, [3, 7], PlaylistOptions(n=12, seed=s)).rows.tolist() for s in (None, None, 1, 1, 2)
        ]
        assert runs[0] == runs[1]
        assert runs[2] == runs[3]
        assert len({tuple(run) for run in runs}) == 3

    def test_duration_is_met_within_its_tolerance(self):
        tracks = made_tracks()
        made = make_playlist(tracks, [3, 7], PlaylistOptions(duration_s=3_600, tolerance_s=20))
        assert tracks.durations_s[made.rows].sum() == pytest.approx(3_600, abs=20)
        assert made.gave_way == {}

    def test_unknown_durations_count_as_the_usual_one(self):
        tracks = made_tracks()
        made = make_playlist(
            replace(tracks, durations_s=np.full(200, np.nan)), [3, 7], PlaylistOptions(duration_s=1_800, tolerance_s=60)
        )
        assert len(made.rows) == 10

    @pytest.mark.parametrize("name", ["tempo", "energy"])
    def test_curve_is_monotone_and_steps_are_bounded(self, name: str):
        tracks = made_tracks(600)
        values = tracks.values[name]
        low, high = np.argsort(values)[[60, 540]].tolist()
        bound = 0.15 * float(np.ptp(values))
        curve = Curve(monotone=True, max_step=bound)
        for ends in ([low, high], [high, low]):
            made = make_playlist(tracks, ends, PlaylistOptions.model_validate({"n": 15, name: curve}))
            steps = np.diff(values[made.rows])
            assert made.gave_way == {}
            assert (steps * np.sign(values[ends[1]] - values[ends[0]]) >= 0).all()
            assert np.abs(steps).max() <= bound + 1e-6

    def test_tracks_of_unknown_tempo_are_not_picked_where_it_matters(self):
        tracks = made_tracks()
        tempo = tracks.values["tempo"].copy()
        tempo[::2] = np.nan
        made = make_playlist(
            replace(tracks, values={"tempo": tempo}), [4, 7], PlaylistOptions(n=8, tempo=Curve(max_step=30))
        )
        assert np.isfinite(tempo[made.rows[1:]]).all()

    def test_only_allowed_tracks_are_picked_but_waypoints_stand(self):
        tracks = made_tracks()
        allowed = np.arange(200) >= 150
        made = make_playlist(replace(tracks, allowed=allowed), [3, 7], PlaylistOptions(n=10))
        assert allowed[made.rows[1:-1]].all()
        assert (made.rows[0], made.rows[-1]) == (3, 7)

    def test_one_of_several_copies(self):
        tracks = made_tracks(60)
        embeddings = tracks.embeddings.copy()
        embeddings[30:] = embeddings[:30]
        twice = replace(tracks, embeddings=embeddings, groups=np.arange(60) % 30)
        made = make_playlist(twice, [3, 7], PlaylistOptions(n=25, artist_window=1, max_per_artist=None))
        assert len(set((made.rows % 30).tolist())) == 25
        with pytest.raises(SearchError, match=r"n=31: only 30 different tracks .* 30 are copies of another"):
            make_playlist(twice, [3, 7], PlaylistOptions(n=31))
        both = make_playlist(twice, [3, 33], PlaylistOptions(n=5))
        assert (both.rows[0], both.rows[-1]) == (3, 33)

    def test_different_tracks_may_be_as_near_as_they_like(self):
        tracks = made_tracks(20)
        near = tracks.embeddings[:1] + 0.005 * clustered(20, seed=5)
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        alike = replace(tracks, embeddings=near, durations_s=np.full(20, 5.0), artists=np.full(20, "", object))
        assert len(make_playlist(alike, [3, 7], PlaylistOptions(n=20)).rows) == 20

    def test_seamless_order_makes_the_transitions_smaller(self):
        tracks = made_tracks()
        first, last = clustered(200, seed=8), clustered(200, seed=9)
        tracks = replace(tracks, edges=lambda rows: (first[rows], last[rows]))
        seams = []
        for weight in (0.0, 2.0):
            rows = make_playlist(tracks, [3, 7], PlaylistOptions(n=15, seamless=weight)).rows
            seams.append(angles(last[rows[:-1]], first[rows[1:]]).diagonal().mean())
        assert seams[1] < 0.8 * seams[0]

    def test_large_catalog_is_searched_along_the_path(self):
        tracks = made_tracks(5_000, n_artists=400)
        pool = corridor(tracks, [3, 7], PlaylistOptions(n=10), POOL)
        assert pool[:2].tolist() == [3, 7]
        assert POOL / 3 < len(pool) <= POOL + 2
        assert len(np.unique(pool)) == len(pool)
        path = interpolate(tracks.embeddings[[3, 7]], np.array([0, 10]), "spherical")
        near = angles(tracks.embeddings, path).min(axis=1)
        assert near[pool].mean() < near.mean()


class TestRules:
    def test_the_rule_that_gave_way_is_named(self):
        alone = replace(made_tracks(), artists=np.full(200, "one", object))
        made = make_playlist(alone, [3, 7], PlaylistOptions(n=6))
        assert made.gave_way == {
            "artist_window": "9 pairs of one artist within 3 tracks",
            "max_per_artist": "one artist 6 times, wanted at most 3",
        }
        nobody = replace(alone, artists=np.full(200, "", object))
        assert make_playlist(nobody, [3, 7], PlaylistOptions(n=6)).gave_way == {}

    def test_duration_gives_way_where_the_waypoints_alone_take_longer(self):
        made = make_playlist(made_tracks(), [3, 7], PlaylistOptions(duration_s=30, tolerance_s=5))
        assert len(made.rows) == 2
        assert made.gave_way["duration"].endswith("wanted 30 +- 5 s")

    def test_strict_names_the_rules_that_exclude_each_other(self):
        """Two artists, who have to alternate, and each of whom has a tempo of its own, which must not change."""
        odd = np.arange(200) % 2
        tracks = replace(
            made_tracks(), artists=np.array(["a", "b"], object)[odd], values={"tempo": np.where(odd, 100.0, 140.0)}
        )
        with pytest.raises(SearchError, match=r"no playlist of 7 tracks .* keeps artist_window \(3\); relax it"):
            make_playlist(tracks, [3, 7], PlaylistOptions(n=7, max_per_artist=None, strict=True))
        steady = PlaylistOptions(n=7, artist_window=2, max_per_artist=None, tempo=Curve(max_step=10), strict=True)
        with pytest.raises(SearchError, match=r"keeps tempo \(.*\) and artist_window \(2\) together"):
            make_playlist(tracks, [3, 7], steady)
        for rule in ("tempo", "artist_window"):
            assert make_playlist(tracks, [3, 7], steady.without(rule)).gave_way == {}
        gave_way = make_playlist(tracks, [3, 7], steady.model_copy(update={"strict": False})).gave_way
        assert gave_way == {"tempo": "6 breaches in 6 steps, the largest 40, with 100 to 100 at the waypoints"}

    @pytest.mark.parametrize("seed", range(25))
    def test_finds_a_playlist_that_keeps_all_rules_wherever_there_is_one(self, seed: int):
        """Against every playlist of five tracks that a catalog of nine has."""
        rng = np.random.default_rng(seed)
        n = 5
        tracks = replace(
            made_tracks(9, seed=seed),
            artists=np.array([f"{i}" for i in rng.integers(4, size=9)], object),
            durations_s=rng.uniform(100, 300, 9),
        )
        options = PlaylistOptions(
            n=n,
            artist_window=int(rng.integers(1, 4)),
            max_per_artist=int(rng.integers(1, 4)),
            tempo=Curve(monotone=bool(rng.integers(2)), max_step=float(rng.uniform(20, 60))),
        )
        pool = corridor(tracks, [0, 1], options, POOL)
        problem, _ = pose(tracks, pool, 2, options, n)
        every = np.array([[0, *middle, 1] for middle in itertools.permutations(range(2, 9), n - 2)])
        broken = np.sum(list(breaches(problem, every).values()), axis=0)
        made = make_playlist(tracks, [0, 1], options)
        assert (not made.gave_way) == (broken == 0).any()
        if not made.gave_way:
            assert problem.total(every).min() < BREACH
            rank = {row: i for i, row in enumerate(pool.tolist())}
            found = problem.costs(np.array([[rank[row] for row in made.rows.tolist()]]))[0]
            assert found <= problem.costs(every[broken == 0]).min() * 1.1

    def test_directions_change_at_waypoints(self):
        tracks = made_tracks()
        tempo = tracks.values["tempo"].copy()
        tempo[[3, 90, 7]] = 90, 150, 100
        options = PlaylistOptions(n=9, tempo=Curve(monotone=True))
        problem, _ = pose(
            replace(tracks, values={"tempo": tempo}), corridor(tracks, [3, 90, 7], options, POOL), 3, options, 9
        )
        turn = sorted(problem.fixed)[1]
        assert directions(problem, "tempo").tolist() == [1.0] * turn + [-1.0] * (8 - turn)


class TestBadInput:
    @pytest.mark.parametrize(
        ("waypoints", "options", "message"),
        [
            ([3], {"n": 5}, "1 waypoints: wanted two or more"),
            ([3, 3], {"n": 5}, "stands twice among the waypoints"),
            ([3, 4, 5], {"n": 2}, "3 waypoints need at least 3"),
            ([3, 4], {"n": 201}, "only 200 different tracks are left of 200"),
            ([3, 4], {"duration_s": 500_000}, r"200 tracks left by the filters play \d+ s together"),
            ([3, 4], {"n": 5, "seamless": 1.0}, "first and last clips"),
        ],
    )
    def test_each_has_one_clear_answer(self, waypoints: list[int], options: dict, message: str):
        with pytest.raises(SearchError, match=message):
            make_playlist(made_tracks(), waypoints, PlaylistOptions(**options))

    def test_filters_that_leave_nothing(self):
        tracks = replace(made_tracks(), allowed=np.zeros(200, bool))
        assert make_playlist(tracks, [3, 4], PlaylistOptions(n=2)).rows.tolist() == [3, 4]
        with pytest.raises(SearchError, match="n=3: only 2 different tracks are left of 200: the filters leave 2"):
            make_playlist(tracks, [3, 4], PlaylistOptions(n=3))

    def test_a_curve_of_what_nobody_knows(self):
        with pytest.raises(SearchError, match="tempo is known of no track"):
            make_playlist(replace(made_tracks(), values={}), [3, 4], PlaylistOptions(n=5, tempo=Curve(max_step=5)))
        unknown = replace(made_tracks(), values={"tempo": np.full(200, np.nan)})
        with pytest.raises(SearchError, match="2 of them have what the rules ask for"):
            make_playlist(unknown, [3, 4], PlaylistOptions(n=5, tempo=Curve(max_step=5)))

    def test_more_tracks_than_anyone_listens_to(self):
        with pytest.raises(SearchError, match=r"about \d+ tracks; at most 500"):
            make_playlist(made_tracks(3_000), [3, 4], PlaylistOptions(duration_s=200_000))

    def test_a_catalog_of_three(self):
        made = make_playlist(made_tracks(3), [0, 2], PlaylistOptions(n=3, artist_window=1))
        assert made.rows.tolist() == [0, 1, 2]

    @pytest.mark.parametrize("settings", [{}, {"n": 5, "duration_s": 100.0}, {"n": 1}, {"n": 5, "artist_window": 0}])
    def test_options_that_make_no_sense(self, settings: dict):
        with pytest.raises(ValidationError):
            PlaylistOptions(**settings)


ENTRY = dict.fromkeys(COLUMNS) | {
    "position": 1,
    "title": "Two\nLines, and a comma",
    "artist": "Zoë",
    "duration_s": 181.6,
    "uri": "/music/a b.mp3",
}


class TestExport:
    def test_m3u8_has_two_lines_per_track(self):
        text = export_playlist({"name": "a", "entries": [ENTRY, ENTRY | {"duration_s": None, "artist": None}]}, "m3u8")
        assert text.splitlines()[2:] == [
            "#EXTINF:182,Zoë - Two Lines, and a comma",
            "/music/a b.mp3",
            "#EXTINF:-1,Two Lines, and a comma",
            "/music/a b.mp3",
        ]

    def test_csv_and_json_read_back(self):
        document = {"name": "a", "entries": [ENTRY]}
        (row,) = csv.DictReader(io.StringIO(export_playlist(document, "csv")))
        assert (row["title"], row["label"]) == (ENTRY["title"], "")
        assert json.loads(export_playlist(document, "json")) == document

    def test_unknown_kind(self):
        with pytest.raises(SearchError, match="'pls': wanted m3u8, csv or json"):
            export_playlist({"name": "a", "entries": []}, "pls")

    def test_pictures_are_png(self):
        tracks = made_tracks(50)
        made = make_playlist(tracks, [3, 7], PlaylistOptions(n=6))
        assert walk_picture(made, tracks.embeddings, list("abcdef"), "a to f")[:4] == b"\x89PNG"
        assert preview_picture(np.full((2, 128, 130), -40.0), [0.0, 1.0], "a to f")[:4] == b"\x89PNG"
