"""The pool of tracks that a playlist is chosen from, and the search problem over it.

Conventions
-----------
- The pool is the waypoints followed by the allowed tracks, or by the `POOL` of them nearest to the ideal path, so that
  the cost of the search does not depend on the size of the catalog.
- A playlist contains at most one of a group of copies. The groups are given; similar embeddings do not make a copy.
- The cost of a step is its angle cubed, which penalizes large steps, plus `STAY_NEAR` times the cubed angle to the
  ideal path.

Why cubes: for 60 pairs of demo tracks and playlists of 12, the largest step was smaller than that of the nearest tracks
for 82 % of the pairs with plain sums, 95 % with squares, 98 % with cubes and 100 % with fourth powers; the mean step
was smaller for 100, 98, 97 and 95 %. A smaller `STAY_NEAR` gives smaller steps, but the playlist stays near both ends
and crosses the middle quickly.
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
DEFAULT_DURATION_S = 180.0  # if no duration is known

Edges = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Maps rows to the embeddings of their first and last clips, each (len(rows), dim), rows of length 1."""


@dataclass(frozen=True)
class PlaylistTracks:
    """The tracks that a playlist can contain.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, dim), float32, rows of length 1
    artists : np.ndarray, shape (n,), str
        "" where unknown; unknown artists count as different.
    durations_s : np.ndarray, shape (n,)
        NaN where unknown; counts as the median of the others.
    allowed : np.ndarray, shape (n,), bool
        Tracks that may be picked. Waypoints need not be allowed.
    values : mapping of curve name to np.ndarray, shape (n,)
        Tempo in BPM and energy in dB. Tracks with NaN are not picked if the curve is set.
    edges : Edges or None
        Needed for `seamless`.
    groups : np.ndarray, shape (n,), int, or None
        A number per recording, which copies share. None: no track is a copy.
    """

    embeddings: np.ndarray
    artists: np.ndarray
    durations_s: np.ndarray
    allowed: np.ndarray
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    edges: Edges | None = None
    groups: np.ndarray | None = None


def corridor(tracks: PlaylistTracks, waypoints: Sequence[int], options: PlaylistOptions, size: int) -> np.ndarray:
    """List the waypoints, then all allowed tracks, or the `size` of them nearest to the path along its whole length."""
    allowed = tracks.allowed.copy()
    allowed[list(waypoints)] = False
    rows = np.flatnonzero(allowed)
    if len(rows) > size:
        ends = tracks.embeddings[list(waypoints)]
        points = interpolate(ends, place_waypoints(ends, max(12, len(ends))), options.path)
        near = tracks.embeddings @ points.T
        near[off_curve(tracks.values, waypoints, options)] -= 4.0  # ranks after all others
        near[~allowed] = -np.inf
        nearest = np.argpartition(-near, size - 1, axis=0)[:size]
        order = np.take_along_axis(near, nearest, axis=0).argsort(axis=0)[::-1]
        by_rank = np.take_along_axis(nearest, order, axis=0).ravel()  # the nearest to each point first
        unique, first = np.unique(by_rank, return_index=True)
        rows = np.sort(unique[first.argsort()[:size]])
    return np.concatenate([np.asarray(waypoints, int), rows])


def off_curve(
    values_of: Mapping[str, np.ndarray], waypoints: Sequence[int], options: PlaylistOptions
) -> np.ndarray | bool:
    """Mask (n,) of the tracks whose values violate a curve in every playlist between these waypoints; False: none."""
    off: np.ndarray | bool = False
    for name, curve in options.curves.items():
        values = np.asarray(values_of[name], np.float64)
        ends = values[list(waypoints)]
        off = off | ~np.isfinite(values)
        if curve.monotone and np.isfinite(ends).all():
            off = off | (values < ends.min()) | (values > ends.max())
    return off


def thin_pool(pool: np.ndarray, n_waypoints: int, n: int, seed: int) -> np.ndarray:
    """Remove a random third of the pool, but keep at least n tracks."""
    drawn = np.random.default_rng(seed).permutation(np.arange(n_waypoints, len(pool)))
    kept = drawn[: max(n - n_waypoints, len(drawn) * 2 // 3)]
    return np.concatenate([pool[:n_waypoints], pool[np.sort(kept)]])


def make_problem(
    tracks: PlaylistTracks, pool: np.ndarray, n_waypoints: int, options: PlaylistOptions, n: int
) -> tuple[Problem, np.ndarray]:
    """Make the search problem over a pool that starts with the waypoints; returns it and the ideal path (n, dim).

    Raises
    ------
    SearchError
        If the pool has fewer than n different tracks.
    """
    known = np.all([np.isfinite(tracks.values[name][pool]) for name in options.curves], axis=0)
    usable = np.broadcast_to(known, len(pool)) | (np.arange(len(pool)) < n_waypoints)
    embeddings, durations_s = tracks.embeddings[pool], durations(tracks, pool)
    apart = angles(embeddings, embeddings)
    group = _recordings(tracks, pool, n_waypoints, usable)
    if (n_groups := len(np.unique(group))) < n:
        raise SearchError(
            f"n={n}: only {n_groups} different tracks are left of {len(tracks.embeddings)}: the filters leave "
            f"{len(pool)} including the waypoints, {usable.sum()} of them have the values that the rules need, and "
            f"{usable.sum() - n_groups} are copies of another; ask for fewer tracks or relax the filters"
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


def _recordings(tracks: PlaylistTracks, pool: np.ndarray, n_waypoints: int, usable: np.ndarray) -> np.ndarray:
    """A number (p,) per recording, which copies share; unusable tracks get the number of the first waypoint."""
    groups = np.arange(len(tracks.embeddings)) if tracks.groups is None else tracks.groups
    group = np.unique(groups[pool], return_inverse=True)[1]
    for i in range(1, n_waypoints):  # waypoints may be copies of each other
        group[i] = group.max() + 1 if group[i] in group[:i] else group[i]
    group[~usable] = group[0]
    return group


def _numbers(artists: np.ndarray) -> np.ndarray:
    """A number per artist, shape (n,); each unknown artist has its own number."""
    names = artists.astype(str)
    unknown = names == ""
    numbers = np.unique(names, return_inverse=True)[1]
    numbers[unknown] = numbers.max() + 1 + np.arange(unknown.sum())
    return np.unique(numbers, return_inverse=True)[1]


def durations(tracks: PlaylistTracks, rows: np.ndarray) -> np.ndarray:
    """Durations of some tracks in seconds, shape (len(rows),); unknown ones are replaced by the median."""
    durations_s = np.asarray(tracks.durations_s, np.float64)[rows]
    known = durations_s[np.isfinite(durations_s)]
    return np.where(np.isfinite(durations_s), durations_s, np.median(known) if len(known) else DEFAULT_DURATION_S)
