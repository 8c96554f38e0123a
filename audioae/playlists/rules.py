"""What breaks which rule: counted for whole playlists, and foreseen for every track that could come next.

Conventions
-----------
- A problem is over a pool of p tracks; a playlist is a row of pool numbers; `fixed` maps positions to waypoints.
- Artists are numbers, of which an unknown artist has one of its own; so have tracks without duplicates in `group`.
- A breach counts 1 (a duration: 1 and how many tracks of the usual length it is off); `RULES` weighs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audioae.playlists.options import RULES, PlaylistOptions

BREACH = 1e4  # above any sum of costs of steps
SLACK = 1e-6


@dataclass(frozen=True)
class Problem:
    """What a search needs to know.

    Parameters
    ----------
    step : np.ndarray, shape (p, p)
        Cost of going from the row's track to the column's.
    far : np.ndarray, shape (n, p)
        Cost of standing at a position, for being away from the ideal path.
    fixed : mapping of position to pool number
    group, artist : np.ndarray, shape (p,), int
    duration_s : np.ndarray, shape (p,)
        Finite.
    values : mapping of curve name to np.ndarray, shape (p,)
        NaN where not known, which breaks no rule.
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
        return len(self.far)

    def costs(self, paths: np.ndarray) -> np.ndarray:
        """Cost (b,) of complete playlists (b, n), without their breaches."""
        steps = self.step[paths[:, :-1], paths[:, 1:]].sum(axis=1, dtype=np.float64)
        return steps + self.far[np.arange(self.n), paths].sum(axis=1, dtype=np.float64)

    def total(self, paths: np.ndarray) -> np.ndarray:
        """Cost (b,) with breaches."""
        weighed = [RULES[name] * count for name, count in breaches(self, paths).items()]
        return self.costs(paths) + BREACH * np.sum(weighed, axis=0, initial=0.0)


def breaches(problem: Problem, paths: np.ndarray) -> dict[str, np.ndarray]:
    """How often each rule in force is broken, (b,) float, in complete playlists (b, n)."""
    options, artists = problem.options, problem.artist[paths]
    counts = {
        name: _curve_breaches(problem, name, problem.values[name][paths], directions(problem, name))
        for name in options.curves
    }
    if "artist_window" in options.rules:
        apart = range(1, min(options.artist_window, problem.n))
        counts["artist_window"] = np.sum([(artists[:, d:] == artists[:, :-d]).sum(axis=1) for d in apart], axis=0)
    if options.max_per_artist is not None:
        ordered, most = np.sort(artists, axis=1), options.max_per_artist
        counts["max_per_artist"] = (ordered[:, most:] == ordered[:, :-most]).sum(axis=1)
    if options.duration_s is not None:
        off = np.abs(problem.duration_s[paths].sum(axis=1) - options.duration_s) - options.tolerance_s
        counts["duration"] = np.where(off > SLACK, 1.0 + off / problem.duration_s.mean(), 0.0)
    return counts


def directions(problem: Problem, name: str) -> np.ndarray:
    """Per step (n - 1,): 1 where the curve rises towards the next waypoint, -1 where it falls, NaN where not known."""
    places = sorted(problem.fixed)
    values = problem.values[name][[problem.fixed[i] for i in places]]
    return np.repeat(np.sign(np.diff(values)), np.diff(places))


def foreseen(problem: Problem, paths: np.ndarray) -> np.ndarray:
    """What it costs in breaches, (b, p), to go on from each beginning (b, i) with each track."""
    options, i = problem.options, paths.shape[1]
    rows = np.arange(len(paths))[:, None]
    upcoming = np.array([row for place, row in problem.fixed.items() if place >= i], int)
    cost = np.zeros((len(paths), len(problem.artist)))
    for name in options.curves:
        values = problem.values[name]
        direction = directions(problem, name)[i - 1]
        step = values[None] - values[paths[:, -1:]]
        pairs = np.stack([np.zeros_like(step), step], axis=-1)
        cost += RULES[name] * _curve_breaches(problem, name, pairs, np.array([direction]))
        cost += 0.5 * RULES[name] * _out_of_reach(problem, name, i) + _ahead(problem, name, i) / BREACH
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
    return BREACH * cost + _off_pace(problem, paths)


def banned(problem: Problem, paths: np.ndarray) -> np.ndarray:
    """Tracks (b, p) that stand in a beginning or are waypoints to come, and their duplicates."""
    i = paths.shape[1]
    used = np.zeros((len(paths), problem.group.max() + 1), bool)
    used[np.arange(len(paths))[:, None], problem.group[paths]] = True
    used[:, problem.group[[row for place, row in problem.fixed.items() if place >= i]]] = True
    return used[:, problem.group]


def _curve_breaches(problem: Problem, name: str, values: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Steps along the last axis of `values` that go the wrong way or too far."""
    curve, steps = problem.options.curves[name], np.diff(values, axis=-1)
    count = np.zeros(steps.shape[:-1])
    if curve.monotone:
        count += (np.where(direction == 0, np.abs(steps), -steps * direction) > SLACK).sum(axis=-1)
    if curve.max_step is not None:
        count += (np.abs(steps) > curve.max_step + SLACK).sum(axis=-1)
    return count


def _out_of_reach(problem: Problem, name: str, i: int) -> np.ndarray:
    """Tracks (p,) from which the next waypoint cannot be reached any more without breaking the rule."""
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
    """A mild cost (p,) for a monotone curve that runs ahead of an even rise or fall: it would have no room left."""
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
    """A mild cost (b, p) for playing time that runs ahead of the target or behind it; 0 without a target."""
    target = problem.options.duration_s
    if target is None:
        return np.zeros((1, 1))
    i, usual = paths.shape[1], problem.duration_s.mean()
    at = problem.duration_s[paths].sum(axis=1)[:, None] + problem.duration_s - target * (i + 1) / problem.n
    return 0.1 * (np.maximum(np.abs(at) - problem.options.tolerance_s, 0.0) / usual) ** 2
