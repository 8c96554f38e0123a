"""The search, compared with all possible playlists of small pools."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.pool import POOL, PlaylistTracks, corridor, make_problem
from audioae.playlists.rules import VIOLATION, Problem
from audioae.playlists.search import MAX_EXCHANGE, search
from audioae.playlists.walk import _attempt, make_playlist
from tests.playlists.made import made_tracks


def request(seed: int, size: int, n: int, duration: bool = False) -> tuple[PlaylistTracks, PlaylistOptions]:
    """A catalog of `size` tracks by four artists, and random rules that are often hard to keep."""
    rng = np.random.default_rng(seed)
    artists = np.array([f"{i}" for i in rng.integers(4, size=size)], object)
    tracks = replace(made_tracks(size, seed=seed), artists=artists, durations_s=rng.uniform(100, 300, size))
    options = PlaylistOptions(
        n=None if duration else n,
        artist_window=int(rng.integers(1, 4)),
        max_per_artist=int(rng.integers(1, 4)),
        tempo=Curve(monotone=bool(rng.integers(2)), max_step=float(rng.uniform(20, 60))),
        duration_s=float(rng.uniform(150, 250) * n) if duration else None,
        tolerance_s=20.0,
    )
    return tracks, options


def problem_of(tracks: PlaylistTracks, options: PlaylistOptions, n: int, n_waypoints: int = 2) -> Problem:
    pool = corridor(tracks, range(n_waypoints), options, POOL)
    return make_problem(tracks, pool, n_waypoints, options, n)[0]


def all_playlists(problem: Problem) -> np.ndarray:
    """Every playlist (b, n) of a problem whose pool starts with its waypoints."""
    free = [i for i in range(problem.n) if i not in problem.fixed]
    chosen = np.array(list(itertools.permutations(range(len(problem.fixed), len(problem.group)), len(free))))
    every = np.empty((len(chosen), problem.n), int)
    every[:, free] = chosen
    every[:, list(problem.fixed)] = list(problem.fixed.values())
    return every


@pytest.mark.parametrize("seed", range(25))
def test_finds_the_best_playlist_of_a_small_pool(seed: int):
    """Five tracks of nine: no more beginnings than both beams keep."""
    tracks, options = request(seed, 9, 5)
    problem = problem_of(tracks, options, 5)
    best = problem.total(all_playlists(problem)).min()
    assert search(problem)[1] == pytest.approx(best)
    playlist = make_playlist(tracks, [0, 1], options)
    assert (not playlist.relaxed) == (best < VIOLATION)
    rows = playlist.rows  # the pool is the catalog, in its order
    assert problem.total(rows[None])[0] == pytest.approx(best)


@pytest.mark.parametrize("seed", [5, 12, 45, 54, 57, 63, 64, 65])
def test_the_wide_beam_finds_what_the_narrow_one_does_not(seed: int):
    """Six tracks of nine, with a target for the duration every third time: the narrow beam misses the first six."""
    problem = problem_of(*request(seed, 9, 6, duration=seed % 3 == 0), 6)
    every = all_playlists(problem)
    order, cost = search(problem, wide=True)
    assert cost == pytest.approx(problem.total(every).min())
    assert problem.total(order[None])[0] == pytest.approx(cost)
    narrow = search(problem)[1]
    assert narrow >= cost - 1e-6
    assert (narrow > cost + 1e-3) == (seed < 64)


def test_waypoints_in_the_middle_are_kept_by_the_best_playlist():
    problem = problem_of(*request(3, 9, 6), 6, n_waypoints=3)
    order, cost = search(problem)
    assert [order[i] for i in sorted(problem.fixed)] == [0, 1, 2]
    assert cost == pytest.approx(problem.total(all_playlists(problem)).min())


@pytest.mark.parametrize("seed", [48, 69, 75])
def test_rules_are_relaxed_only_after_the_wide_search(seed: int):
    """Eight tracks of twenty: the narrow beam violates a rule, the wide one none."""
    tracks, options = request(seed, 20, 8, duration=True)
    assert search(problem_of(tracks, options, 8))[1] > VIOLATION
    assert _attempt(tracks, [0, 1], options, 8).keeps_rules


@pytest.mark.parametrize("seed", [0, 1, 17, 36])
def test_no_replacement_and_no_exchange_makes_a_playlist_cheaper(seed: int):
    tracks, options = request(seed, 60, 10)
    problem = problem_of(tracks, options, 10)
    order, cost = search(problem)
    free = range(1, 9)
    unused = np.setdiff1d(np.arange(60), order)
    changed = []
    for i in free:
        changed += [np.r_[order[:i], track, order[i + 1 :]] for track in unused]
    for i, j in itertools.combinations(free, 2):
        assert j - i <= MAX_EXCHANGE
        changed.append(order.copy())
        changed[-1][[i, j]] = order[[j, i]]
    assert problem.total(np.array(changed)).min() >= cost - 1e-6
