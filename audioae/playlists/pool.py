"""Which tracks a playlist is made from, and what their search has to know.

Conventions
-----------
- The pool is the waypoints, then the allowed tracks, or the `POOL` of them nearest to the ideal path, so that a catalog
  of any size costs the same to search.
- Of a group of copies one is enough. What is a copy of what is given: how near embeddings are does not decide it.
- What a step costs is its angle cubed, so that a large one counts for more, plus `STAY_NEAR` times the cubed angles
  to the ideal path.

Why cubes: on 60 pairs of the demo, 12 tracks each, plain sums gave a smaller largest step than the nearest tracks for
82 %, squares for 95 %, cubes for 98 %, fourth powers for all; a smaller mean step for 100, 98, 97 and 95 %. A smaller
`STAY_NEAR` makes smaller steps, by lingering at both ends and crossing fast.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from audioae.errors import SearchError
from audioae.playlists.options import PlaylistOptions
from audioae.playlists.path import angles, interpolate, place_waypoints
from audioae.playlists.rules import Problem

POWER = 3
STAY_NEAR = 0.5
POOL = 1_200
USUAL_S = 180.0  # of a track, where no duration is known

Edges = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Tracks:
    """What is known of n tracks, row by row.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, dim), float32, rows of length 1
    artists : np.ndarray, shape (n,), str
        "" where not known, which is nobody's artist.
    durations_s : np.ndarray, shape (n,)
        NaN where not known: counted as the median of the others.
    allowed : np.ndarray, shape (n,), bool
        Tracks that may be picked; a waypoint need not be.
    values : mapping of curve name to np.ndarray, shape (n,)
        Tempo in BPM, energy in dB; NaN where not known: not picked where the curve is wanted.
    edges : callable, rows to (first, last), each (len(rows), dim), rows of length 1; or None
        Embeddings of the tracks' first and last clips, for `seamless`.
    groups : np.ndarray, shape (n,), int; or None
        A number per recording, which its copies share. None: no track is a copy of another.
    """

    embeddings: np.ndarray
    artists: np.ndarray
    durations_s: np.ndarray
    allowed: np.ndarray
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    edges: Edges | None = None
    groups: np.ndarray | None = None


def corridor(tracks: Tracks, waypoints: Sequence[int], options: PlaylistOptions, size: int) -> np.ndarray:
    """Rows of the waypoints, then of allowed tracks along the path: all, or `size` of them, evenly along it."""
    allowed = tracks.allowed.copy()
    allowed[list(waypoints)] = False
    rows = np.flatnonzero(allowed)
    if len(rows) > size:
        ends = tracks.embeddings[list(waypoints)]
        points = interpolate(ends, place_waypoints(ends, max(12, len(ends))), options.path)
        near = tracks.embeddings @ points.T
        near[_off_curve(tracks, waypoints, options)] -= 4.0  # behind all others
        near[~allowed] = -np.inf
        nearest = np.argpartition(-near, size - 1, axis=0)[:size]
        order = np.take_along_axis(near, nearest, axis=0).argsort(axis=0)[::-1]
        by_rank = np.take_along_axis(nearest, order, axis=0).ravel()  # the nearest to each point first
        unique, first = np.unique(by_rank, return_index=True)
        rows = np.sort(unique[first.argsort()[:size]])
    return np.concatenate([np.asarray(waypoints, int), rows])


def _off_curve(tracks: Tracks, waypoints: Sequence[int], options: PlaylistOptions) -> np.ndarray:
    """Tracks (n,) that no playlist with these curves can hold, as far as that is seen from the waypoints alone."""
    off = np.zeros(len(tracks.embeddings), bool)
    for name, curve in options.curves.items():
        values = np.asarray(tracks.values[name], np.float64)
        ends = values[list(waypoints)]
        off |= ~np.isfinite(values)
        if curve.monotone and np.isfinite(ends).all():
            off |= (values < ends.min()) | (values > ends.max())
    return off


def thin(pool: np.ndarray, n_waypoints: int, n: int, seed: int) -> np.ndarray:
    """The pool without a third of its tracks, drawn by `seed`; never fewer than n tracks."""
    drawn = np.random.default_rng(seed).permutation(np.arange(n_waypoints, len(pool)))
    kept = drawn[: max(n - n_waypoints, len(drawn) * 2 // 3)]
    return np.concatenate([pool[:n_waypoints], pool[np.sort(kept)]])


def pose(
    tracks: Tracks, pool: np.ndarray, n_waypoints: int, options: PlaylistOptions, n: int
) -> tuple[Problem, np.ndarray]:
    """The search's problem over the pool, whose first rows are the waypoints, and the ideal path (n, dim)."""
    known = np.all([np.isfinite(tracks.values[name][pool]) for name in options.curves], axis=0)
    wanted = np.broadcast_to(known, len(pool)) | (np.arange(len(pool)) < n_waypoints)
    embeddings, durations_s = tracks.embeddings[pool], durations(tracks, pool)
    apart = angles(embeddings, embeddings)
    group = _recordings(tracks, pool, n_waypoints, wanted)
    if (n_groups := len(np.unique(group))) < n:
        raise SearchError(
            f"n={n}: only {n_groups} different tracks are left of {len(tracks.embeddings)}: the filters leave "
            f"{len(pool)} with the waypoints, {wanted.sum()} of them have what the rules ask for, and "
            f"{wanted.sum() - n_groups} are copies of another; ask for fewer tracks, or filter less"
        )
    places = place_waypoints(embeddings[:n_waypoints], n)
    path = interpolate(embeddings[:n_waypoints], places, options.path)
    step = apart**POWER
    if options.seamless:
        assert tracks.edges is not None
        first, last = tracks.edges(pool)
        step = step + options.seamless * angles(last, first) ** POWER
    problem = Problem(
        step,
        STAY_NEAR * angles(path, embeddings) ** POWER,
        {int(place): i for i, place in enumerate(places)},
        group,
        _numbers(tracks.artists[pool]),
        durations_s,
        {name: np.asarray(tracks.values[name], np.float64)[pool] for name in options.curves},
        options,
    )
    return problem, path


def _recordings(tracks: Tracks, pool: np.ndarray, n_waypoints: int, wanted: np.ndarray) -> np.ndarray:
    """A number (p,) per track, the same for copies of one recording; tracks not wanted go with the first waypoint."""
    groups = np.arange(len(tracks.embeddings)) if tracks.groups is None else tracks.groups
    group = np.unique(groups[pool], return_inverse=True)[1]
    for i in range(1, n_waypoints):  # waypoints that are copies of each other were asked for all the same
        group[i] = group.max() + 1 if group[i] in group[:i] else group[i]
    group[~wanted] = group[0]
    return group


def _numbers(artists: np.ndarray) -> np.ndarray:
    names = artists.astype(str)
    unknown = names == ""
    numbers = np.unique(names, return_inverse=True)[1]
    numbers[unknown] = numbers.max() + 1 + np.arange(unknown.sum())
    return np.unique(numbers, return_inverse=True)[1]


def durations(tracks: Tracks, rows: np.ndarray) -> np.ndarray:
    """Durations (len(rows),) in seconds; the median where one is not known."""
    found = np.asarray(tracks.durations_s, np.float64)[rows]
    known = found[np.isfinite(found)]
    return np.where(np.isfinite(found), found, np.median(known) if len(known) else USUAL_S)
