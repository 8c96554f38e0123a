"""The search, compared with all possible playlists."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.pool import POOL, corridor, make_problem
from audioae.playlists.rules import VIOLATION, violations
from audioae.playlists.walk import make_playlist
from tests.playlists.made import made_tracks


@pytest.mark.parametrize("seed", range(25))
def test_finds_a_playlist_that_keeps_all_rules_if_one_exists(seed: int):
    """Compared with all playlists of five tracks from a catalog of nine."""
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
    problem, _ = make_problem(tracks, pool, 2, options, n)
    every = np.array([[0, *middle, 1] for middle in itertools.permutations(range(2, 9), n - 2)])
    violated = np.sum(list(violations(problem, every).values()), axis=0)
    playlist = make_playlist(tracks, [0, 1], options)
    assert (not playlist.relaxed) == (violated == 0).any()
    if not playlist.relaxed:
        assert problem.total(every).min() < VIOLATION
        rank = {row: i for i, row in enumerate(pool.tolist())}
        found = problem.costs(np.array([[rank[row] for row in playlist.rows.tolist()]]))[0]
        assert found <= problem.costs(every[violated == 0]).min() * 1.1
