"""Make a playlist: the smoothest walk over real tracks near the ideal path between the waypoints' embeddings.

Convention: all angles are in radians, between embeddings of length 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioae.errors import SearchError
from audioae.playlists.options import PlaylistOptions
from audioae.playlists.path import angles
from audioae.playlists.pool import POOL, PlaylistTracks, corridor, durations, make_problem, thin_pool
from audioae.playlists.rules import VIOLATION, Problem, violations
from audioae.playlists.search import search
from audioae.playlists.smoothness import compare_steps, step_angles

MAX_TRACKS = 500


@dataclass(frozen=True)
class Playlist:
    """An ordered playlist and its measurements.

    Parameters
    ----------
    rows : np.ndarray, shape (n,), int
        Rows of the tracks.
    waypoints : np.ndarray, shape (m,), int
        Positions of the waypoints in the playlist.
    path : np.ndarray, shape (n, dim)
        Point of the ideal path at each position.
    steps : np.ndarray, shape (n - 1,)
        Angles from track to track.
    off_path : np.ndarray, shape (n,)
        Angles from each track to its point of the path.
    relaxed : dict of str to str
        The rules that were not kept, each with a sentence on the violations.
    smoothness : dict of str to dict
        `mean` and `largest` step of the playlist and of its alternatives (see `compare_steps`).
    """

    rows: np.ndarray
    waypoints: np.ndarray
    path: np.ndarray
    steps: np.ndarray
    off_path: np.ndarray
    relaxed: dict[str, str]
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
        return self.cost < VIOLATION


def make_playlist(tracks: PlaylistTracks, waypoints: Sequence[int], options: PlaylistOptions) -> Playlist:
    """Walk from the first waypoint through the others to the last.

    Parameters
    ----------
    tracks : PlaylistTracks
    waypoints : sequence of int
        Two or more different rows.
    options : PlaylistOptions

    Raises
    ------
    SearchError
        If there are fewer than two waypoints, or repeated ones, if too few tracks are allowed for the length, or if a
        rule would have to be relaxed although `options.strict` is set; the message names the contradicting rules.
    """
    _check(tracks, waypoints, options)
    best = None
    for n in _lengths(tracks, waypoints, options):
        attempt = _attempt(tracks, waypoints, options, n)
        best = attempt if best is None or attempt.cost < best.cost else best
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
        _relaxed(best.problem, best.order),
        compare_steps(tracks.embeddings[best.pool], best.problem, best.order),
    )


def check_waypoints(waypoints: Sequence[int]) -> None:
    """Raise `SearchError` unless there are two or more different rows."""
    if len(waypoints) < 2:
        raise SearchError(f"waypoints: got {len(waypoints)}, wanted at least 2: the first and the last track")
    if len(set(waypoints)) < len(waypoints):
        raise SearchError("waypoints: a track occurs twice; to find tracks around a single one, use `audioae similar`")


def _check(tracks: PlaylistTracks, waypoints: Sequence[int], options: PlaylistOptions) -> None:
    check_waypoints(waypoints)
    if options.n is not None and options.n < len(waypoints):
        raise SearchError(f"n={options.n}: wanted at least {len(waypoints)}, the number of waypoints")
    if missing := sorted(set(options.curves) - set(tracks.values)):
        raise SearchError(f"{missing[0]}: cannot follow a curve, because it is known for none of the tracks")
    if options.seamless and tracks.edges is None:
        raise SearchError("seamless: needs embeddings of the first and last clips, but there are none")


def _lengths(tracks: PlaylistTracks, waypoints: Sequence[int], options: PlaylistOptions) -> list[int]:
    """Numbers of tracks to try: `options.n`, or those that are likely to fill the duration."""
    if options.duration_s is None:
        assert options.n is not None
        return [options.n]
    rows = corridor(tracks, waypoints, options, POOL)
    lengths = durations(tracks, rows)
    if lengths.sum() < options.duration_s - options.tolerance_s and len(rows) < POOL:
        raise SearchError(
            f"duration of {options.duration_s:.0f} s: the {len(rows)} tracks that pass the filters last only "
            f"{lengths.sum():.0f} s in total; shorten the playlist or relax the filters"
        )
    likely = round(options.duration_s / float(lengths.mean()))
    if likely > MAX_TRACKS:
        raise SearchError(
            f"duration of {options.duration_s:.0f} s: needs about {likely} tracks, the maximum is {MAX_TRACKS}"
        )
    candidates = [likely, likely - 1, likely + 1, likely - 2, likely + 2]
    return list(dict.fromkeys(min(max(n, len(waypoints)), len(rows)) for n in candidates))


def _attempt(tracks: PlaylistTracks, waypoints: Sequence[int], options: PlaylistOptions, n: int) -> _Attempt:
    """Find the best playlist of n tracks; if it violates a rule, search more widely and without the seed."""
    attempts = []
    for wide in (False, True):
        pool = corridor(tracks, waypoints, options, max(POOL, 4 * n) * (1 + wide))
        if options.seed is not None and not wide:
            pool = thin_pool(pool, len(waypoints), n, options.seed)
        problem, path = make_problem(tracks, pool, len(waypoints), options, n)
        attempts.append(_Attempt(pool, problem, path, *search(problem, wide)))
        if attempts[-1].keeps_rules:
            break
    return min(attempts, key=lambda attempt: attempt.cost)


def _conflict(tracks: PlaylistTracks, waypoints: Sequence[int], options: PlaylistOptions, n: int) -> str:
    """Name the contradicting rules: remove rules one by one while every playlist still has violations."""
    for rule in options.rules:
        fewer = options.without(rule)
        if len(options.rules) > 1 and not _attempt(tracks, waypoints, fewer, n).keeps_rules:
            options = fewer
    rules = [f"{rule} ({getattr(options, rule, None) or f'{options.duration_s:.0f} s'})" for rule in options.rules]
    if len(rules) == 1:
        return f"no playlist of {n} tracks between these waypoints keeps {rules[0]}; change this rule, or drop strict"
    return (
        f"no playlist of {n} tracks between these waypoints keeps {' and '.join(rules)} together, but without any one "
        "of them there is one; change one of these rules, or drop strict"
    )


def _relaxed(problem: Problem, order: np.ndarray) -> dict[str, str]:
    """Describe the violations of each rule that was not kept."""
    options = problem.options
    sentences = {}
    for name, count in violations(problem, order[None]).items():
        if count[0] == 0:
            continue
        if name in options.curves:
            values = problem.values[name][order]
            ends = " to ".join(f"{values[i]:.4g}" for i in sorted(problem.fixed))
            largest = np.nanmax(np.abs(np.diff(values)))
            sentences[name] = (
                f"{_counted(count[0], 'violation')} in {problem.n - 1} steps; the largest step is {largest:.3g}, "
                f"and the values at the waypoints are {ends}"
            )
        elif name == "artist_window":
            sentences[name] = (
                f"{_counted(count[0], 'pair')} of tracks by one artist within "
                f"{options.artist_window} consecutive tracks"
            )
        elif name == "max_per_artist":
            most = np.bincount(problem.artist[order]).max()
            sentences[name] = f"{most} tracks by one artist, wanted at most {options.max_per_artist}"
        else:
            total = problem.duration_s[order].sum()
            sentences[name] = f"{total:.0f} s, wanted {options.duration_s:.0f} +- {options.tolerance_s:.0f} s"
    return sentences


def _counted(n: float, noun: str) -> str:
    return f"{n:.0f} {noun}{'' if n == 1 else 's'}"
