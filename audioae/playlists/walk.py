"""A playlist from waypoint to waypoint: the smoothest walk over real tracks near an ideal path between embeddings.

Convention: all angles are in radians, between embeddings of length 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioae.errors import SearchError
from audioae.playlists.options import PlaylistOptions
from audioae.playlists.path import angles
from audioae.playlists.pool import POOL, Tracks, corridor, durations, pose, thin
from audioae.playlists.rules import BREACH, Problem, breaches
from audioae.playlists.search import search
from audioae.playlists.smoothness import compare_steps, step_angles

MOST_TRACKS = 500


@dataclass(frozen=True)
class Playlist:
    """Tracks in order, and what is to be said of them.

    Parameters
    ----------
    rows : np.ndarray, shape (n,), int
    waypoints : np.ndarray, shape (m,), int
        Their positions.
    path : np.ndarray, shape (n, dim)
        The point of the ideal path at each position.
    steps : np.ndarray, shape (n - 1,)
        Angles from track to track.
    off_path : np.ndarray, shape (n,)
        Angles from the tracks to their points.
    gave_way : dict of rule to str
        The rules that are broken, each with what it came to.
    smoothness : dict of str to dict
        `mean` and `largest` step of the playlist and of what it is compared with: see `compare_steps`.
    """

    rows: np.ndarray
    waypoints: np.ndarray
    path: np.ndarray
    steps: np.ndarray
    off_path: np.ndarray
    gave_way: dict[str, str]
    smoothness: dict[str, dict[str, float]]


@dataclass(frozen=True)
class _Attempt:
    pool: np.ndarray
    problem: Problem
    path: np.ndarray
    order: np.ndarray
    cost: float

    @property
    def keeps_rules(self) -> bool:
        return self.cost < BREACH


def make_playlist(tracks: Tracks, waypoints: Sequence[int], options: PlaylistOptions) -> Playlist:
    """Walk from the first waypoint over the others to the last.

    Parameters
    ----------
    tracks : Tracks
    waypoints : sequence of int
        Rows, two or more, all different.
    options : PlaylistOptions

    Raises
    ------
    SearchError
        If waypoints are fewer than two or stand twice, if too few tracks are allowed for the length, or if a rule would
        have to give way though `options.strict`: the message names the rules that exclude each other.
    """
    _check(tracks, waypoints, options)
    best = None
    for n in _lengths(tracks, waypoints, options):
        found = _attempt(tracks, waypoints, options, n)
        best = found if best is None or found.cost < best.cost else best
        if best.keeps_rules:
            break
    assert best is not None
    if options.strict and not best.keeps_rules:
        raise SearchError(_conflict(tracks, waypoints, options, best.problem.n))
    rows = best.pool[best.order]
    embeddings = tracks.embeddings[rows]
    return Playlist(
        rows,
        np.array(sorted(best.problem.fixed)),
        best.path,
        step_angles(embeddings),
        np.array([angles(a[None], b[None])[0, 0] for a, b in zip(embeddings, best.path, strict=True)]),
        _gave_way(best.problem, best.order),
        compare_steps(tracks.embeddings[best.pool], best.problem, best.order),
    )


def _check(tracks: Tracks, waypoints: Sequence[int], options: PlaylistOptions) -> None:
    if len(waypoints) < 2:
        raise SearchError(f"a playlist of {len(waypoints)} waypoints: wanted two or more, where it starts and ends")
    if len(set(waypoints)) < len(waypoints):
        raise SearchError("a track stands twice among the waypoints; for tracks around one track ask for similar ones")
    if options.n is not None and options.n < len(waypoints):
        raise SearchError(f"n={options.n}: {len(waypoints)} waypoints need at least {len(waypoints)} tracks")
    if missing := sorted(set(options.curves) - set(tracks.values)):
        raise SearchError(f"a curve of {missing[0]} was asked for, and {missing[0]} is known of no track")
    if options.seamless and tracks.edges is None:
        raise SearchError("seamless order needs embeddings of first and last clips, and there are none")


def _lengths(tracks: Tracks, waypoints: Sequence[int], options: PlaylistOptions) -> list[int]:
    """Numbers of tracks to try: the one asked for, or those that may fill the duration."""
    if options.duration_s is None:
        assert options.n is not None
        return [options.n]
    rows = corridor(tracks, waypoints, options, POOL)
    lengths = durations(tracks, rows)
    if lengths.sum() < options.duration_s - options.tolerance_s and len(rows) < POOL:
        raise SearchError(
            f"duration of {options.duration_s:.0f} s: the {len(rows)} tracks left by the filters play "
            f"{lengths.sum():.0f} s together; ask for less, or filter less"
        )
    likely = round(options.duration_s / float(lengths.mean()))
    if likely > MOST_TRACKS:
        raise SearchError(f"duration of {options.duration_s:.0f} s is about {likely} tracks; at most {MOST_TRACKS}")
    tried = [likely, likely - 1, likely + 1, likely - 2, likely + 2]
    return list(dict.fromkeys(min(max(n, len(waypoints)), len(rows)) for n in tried))


def _attempt(tracks: Tracks, waypoints: Sequence[int], options: PlaylistOptions, n: int) -> _Attempt:
    """The best playlist of n tracks; where a rule breaks it is looked for more widely, and without the seed."""
    found = []
    for wide in (False, True):
        pool = corridor(tracks, waypoints, options, max(POOL, 4 * n) * (1 + wide))
        if options.seed is not None and not wide:
            pool = thin(pool, len(waypoints), n, options.seed)
        problem, path = pose(tracks, pool, len(waypoints), options, n)
        found.append(_Attempt(pool, problem, path, *search(problem, wide)))
        if found[-1].keeps_rules:
            break
    return min(found, key=lambda attempt: attempt.cost)


def _conflict(tracks: Tracks, waypoints: Sequence[int], options: PlaylistOptions, n: int) -> str:
    """Which rules exclude each other: taken away one by one, as long as there is still no playlist."""
    for rule in options.rules:
        fewer = options.without(rule)
        if len(options.rules) > 1 and not _attempt(tracks, waypoints, fewer, n).keeps_rules:
            options = fewer
    rules = [f"{rule} ({getattr(options, rule, None) or f'{options.duration_s:.0f} s'})" for rule in options.rules]
    if len(rules) == 1:
        return f"no playlist of {n} tracks between these waypoints keeps {rules[0]}; relax it, or let rules give way"
    return (
        f"no playlist of {n} tracks between these waypoints keeps {' and '.join(rules)} together; without any one of "
        "them there is one: relax one, or let rules give way"
    )


def _gave_way(problem: Problem, order: np.ndarray) -> dict[str, str]:
    """The rules that are broken, each with what was wanted and what it came to."""
    options = problem.options
    said = {}
    for name, count in breaches(problem, order[None]).items():
        if count[0] == 0:
            continue
        if name in options.curves:
            values = problem.values[name][order]
            ends = " to ".join(f"{values[i]:.4g}" for i in sorted(problem.fixed))
            largest = np.nanmax(np.abs(np.diff(values)))
            said[name] = (
                f"{int(count[0])} breaches in {problem.n - 1} steps, the largest {largest:.3g}, "
                f"with {ends} at the waypoints"
            )
        elif name == "artist_window":
            said[name] = f"{int(count[0])} pairs of one artist within {options.artist_window} tracks"
        elif name == "max_per_artist":
            most = np.bincount(problem.artist[order]).max()
            said[name] = f"one artist {most} times, wanted at most {options.max_per_artist}"
        else:
            total = problem.duration_s[order].sum()
            said[name] = f"{total:.0f} s, wanted {options.duration_s:.0f} +- {options.tolerance_s:.0f} s"
    return said
