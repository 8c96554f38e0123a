"""Rule violations: counted in complete playlists, and predicted for each track that could come next.

Conventions
-----------
- A problem is over a pool of p tracks. A playlist is a row of positions in the pool; `fixed` maps positions in the
  playlist to waypoints.
- Artists and recordings are numbers. Each unknown artist has its own number.
- A violation counts 1 (of the duration: 1 plus the deviation in average track lengths) and is weighted by `RULES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audioae.playlists.options import RULES, PlaylistOptions

VIOLATION = 1e4  # exceeds any sum of step costs
SLACK = 1e-6


@dataclass(frozen=True)
class Problem:
    """The search problem of one playlist.

    Parameters
    ----------
    step : np.ndarray, shape (p, p)
        Cost of the step from the row's track to the column's.
    far : np.ndarray, shape (n, p)
        Cost of each track at each position for its distance to the ideal path.
    fixed : mapping of int to int
        Position in the playlist to position in the pool, for each waypoint.
    group, artist : np.ndarray, shape (p,), int
        Numbers of the recording and of the artist.
    duration_s : np.ndarray, shape (p,)
        Finite.
    values : mapping of curve name to np.ndarray, shape (p,)
        NaN where unknown, which violates no rule.
    options : PlaylistOptions
    """

    step: np.ndarray
    far: np.ndarray
    fixed: Mapping[int, int]
    group: np.ndarray
    artist: np.ndarray
    duration_s: np.ndarray
    values: Mapping[str, np.ndarray]
    options: PlaylistOptions

    @property
    def n(self) -> int:
        """Number of tracks in the playlist."""
        return len(self.far)

    def costs(self, paths: np.ndarray) -> np.ndarray:
        """Cost (b,) of complete playlists (b, n), without violations."""
        steps = self.step[paths[:, :-1], paths[:, 1:]].sum(axis=1, dtype=np.float64)
        return steps + self.far[np.arange(self.n), paths].sum(axis=1, dtype=np.float64)

    def total(self, paths: np.ndarray) -> np.ndarray:
        """Cost (b,) of complete playlists (b, n), with violations."""
        weighted = [RULES[name] * count for name, count in violations(self, paths).items()]
        return self.costs(paths) + VIOLATION * np.sum(weighted, axis=0, initial=0.0)


def violations(problem: Problem, paths: np.ndarray) -> dict[str, np.ndarray]:
    """Count the violations of each rule in force, (b,) float, in complete playlists (b, n)."""
    options, artists = problem.options, problem.artist[paths]
    counts = {
        name: _curve_violations(problem, name, problem.values[name][paths], directions(problem, name))
        for name in options.curves
    }
    if "artist_window" in options.rules:
        gaps = range(1, min(options.artist_window, problem.n))
        counts["artist_window"] = np.sum([(artists[:, d:] == artists[:, :-d]).sum(axis=1) for d in gaps], axis=0)
    if options.max_per_artist is not None:
        ordered, most = np.sort(artists, axis=1), options.max_per_artist
        counts["max_per_artist"] = (ordered[:, most:] == ordered[:, :-most]).sum(axis=1)
    if options.duration_s is not None:
        off = np.abs(problem.duration_s[paths].sum(axis=1) - options.duration_s) - options.tolerance_s
        counts["duration"] = np.where(off > SLACK, 1.0 + off / problem.duration_s.mean(), 0.0)
    return counts


def directions(problem: Problem, name: str) -> np.ndarray:
    """Direction of the curve at each step, (n - 1,): 1 up to the next waypoint, -1 down, NaN unknown."""
    places = sorted(problem.fixed)
    values = problem.values[name][[problem.fixed[i] for i in places]]
    return np.repeat(np.sign(np.diff(values)), np.diff(places))


def lookahead_cost(problem: Problem, paths: np.ndarray) -> np.ndarray:
    """Cost (b, p) of the violations that follow when each beginning (b, i) is continued with each track."""
    options, i = problem.options, paths.shape[1]
    rows = np.arange(len(paths))[:, None]
    upcoming = np.array([row for place, row in problem.fixed.items() if place >= i], int)
    cost = np.zeros((len(paths), len(problem.artist)))
    for name in options.curves:
        values = problem.values[name]
        direction = directions(problem, name)[i - 1]
        step = values[None] - values[paths[:, -1:]]
        pairs = np.stack([np.zeros_like(step), step], axis=-1)
        cost += RULES[name] * _curve_violations(problem, name, pairs, np.array([direction]))
        cost += 0.5 * RULES[name] * _out_of_reach(problem, name, i) + _ahead(problem, name, i) / VIOLATION
    if "artist_window" in options.rules:
        for back in range(1, min(options.artist_window, i + 1)):
            cost += RULES["artist_window"] * (problem.artist[paths[:, -back]][:, None] == problem.artist)
        near = [row for place, row in problem.fixed.items() if i < place < i + options.artist_window]
        cost += RULES["artist_window"] * np.isin(problem.artist, problem.artist[near])
    if options.max_per_artist is not None:
        n_artists = problem.artist.max() + 1
        numbers = rows * n_artists + problem.artist[paths]
        counts = np.bincount(numbers.ravel(), minlength=len(paths) * n_artists).reshape(-1, n_artists)
        counts += np.bincount(problem.artist[upcoming], minlength=n_artists)
        cost += RULES["max_per_artist"] * (counts[:, problem.artist] >= options.max_per_artist)
    return VIOLATION * cost + _off_pace(problem, paths)


def used(problem: Problem, paths: np.ndarray) -> np.ndarray:
    """Mask (b, p) of the recordings that are in a beginning (b, i) or are waypoints still to come."""
    i = paths.shape[1]
    mask = np.zeros((len(paths), problem.group.max() + 1), bool)
    mask[np.arange(len(paths))[:, None], problem.group[paths]] = True
    mask[:, problem.group[[row for place, row in problem.fixed.items() if place >= i]]] = True
    return mask[:, problem.group]


def _curve_violations(problem: Problem, name: str, values: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Count the steps along the last axis of `values` that go in the wrong direction or too far."""
    curve, steps = problem.options.curves[name], np.diff(values, axis=-1)
    count = np.zeros(steps.shape[:-1])
    if curve.monotone:
        count += (np.where(direction == 0, np.abs(steps), -steps * direction) > SLACK).sum(axis=-1)
    if curve.max_step is not None:
        count += (np.abs(steps) > curve.max_step + SLACK).sum(axis=-1)
    return count


def _out_of_reach(problem: Problem, name: str, i: int) -> np.ndarray:
    """Mask (p,) of the tracks from which the next waypoint cannot be reached without violating the curve."""
    curve, values = problem.options.curves[name], problem.values[name]
    place = min(place for place in problem.fixed if place >= i)
    goal = values[problem.fixed[place]]
    direction = directions(problem, name)[i - 1]
    beyond = np.zeros(len(values), bool)
    if curve.monotone:
        beyond |= np.where(direction == 0, np.abs(values - goal), (values - goal) * direction) > SLACK
    if curve.max_step is not None:
        beyond |= np.abs(values - goal) > curve.max_step * (place - i) + SLACK
    return beyond


def _ahead(problem: Problem, name: str, i: int) -> np.ndarray:
    """A mild cost (p,) for a monotone curve ahead of linear progress, which leaves no room for later steps."""
    direction = directions(problem, name)[i - 1]
    if not problem.options.curves[name].monotone or not abs(direction) > 0:
        return np.zeros(len(problem.artist))
    values = problem.values[name]
    end = min(place for place in problem.fixed if place >= i)
    start = max(place for place in problem.fixed if place < i)
    low, high = values[problem.fixed[start]], values[problem.fixed[end]]
    ahead = (values - low) / (high - low) - (i - start) / (end - start)
    return 2.0 * np.maximum(np.nan_to_num(ahead), 0.0) ** 2


def _off_pace(problem: Problem, paths: np.ndarray) -> np.ndarray:
    """A mild cost (b, p) for playing time that is ahead of the target or behind it; 0 without a target."""
    target = problem.options.duration_s
    if target is None:
        return np.zeros((1, 1))
    i, average = paths.shape[1], problem.duration_s.mean()
    deviation = problem.duration_s[paths].sum(axis=1)[:, None] + problem.duration_s - target * (i + 1) / problem.n
    return 0.1 * (np.maximum(np.abs(deviation) - problem.options.tolerance_s, 0.0) / average) ** 2
