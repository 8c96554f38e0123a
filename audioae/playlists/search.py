"""The best playlist over a pool of tracks: a beam from the first waypoint to the last, then improved track by track.

A breach costs more than any path, so the search keeps every rule where it finds a way to. If it finds none, it looks
again with a wide beam before a rule gives way; where there are no more beginnings than `WIDE`, that looks at all.
"""

import numpy as np

from audioae.playlists.rules import BREACH, Problem, banned, foreseen

NARROW, WIDE = 96, 400
PER_TRACK = 4  # beginnings kept that end in the same track, in a narrow beam
ROUNDS = 10
APART = 24


def search(problem: Problem, wide: bool = False) -> tuple[np.ndarray, float]:
    """Pool numbers (n,) of the cheapest playlist found, and its cost with breaches."""
    ends = _beam(problem, WIDE if wide else NARROW, WIDE if wide else PER_TRACK)
    best = ends[np.argmin(problem.total(ends))]
    best = _improve(problem, best)
    return best, float(problem.total(best[None])[0])


def _beam(problem: Problem, width: int, per_track: int) -> np.ndarray:
    """Complete playlists (b, n), each found by going on from the cheapest beginnings."""
    paths = np.array([[problem.fixed[0]]])
    costs = np.zeros(1)
    for i in range(1, problem.n):
        cost = costs[:, None] + problem.step[paths[:, -1]] + problem.far[i] + foreseen(problem, paths)
        if i in problem.fixed:
            allowed = np.zeros(cost.shape, bool)
            allowed[:, problem.fixed[i]] = True
        else:
            allowed = ~banned(problem, paths)
        cost = np.where(allowed, cost, np.inf)
        if len(paths) > per_track:  # or one promising track would end all beginnings alike
            limit = np.partition(cost, per_track - 1, axis=0)[per_track - 1]
            cost = np.where(cost <= limit, cost, np.inf)
        flat = cost.ravel()
        chosen = np.argpartition(flat, width)[:width] if width < len(flat) else np.arange(len(flat))
        chosen = chosen[np.isfinite(flat[chosen])]
        before, last = np.divmod(chosen, cost.shape[1])
        paths = np.column_stack([paths[before], last])
        costs = flat[chosen]
    return paths


def _improve(problem: Problem, path: np.ndarray) -> np.ndarray:
    """Replace one track, or exchange two, while that makes the playlist cheaper."""
    for _ in range(ROUNDS):
        before = path
        for i in range(1, problem.n - 1):
            if i not in problem.fixed:
                path = _cheapest(problem, path, _replacements(problem, path, i))
        path = _cheapest(problem, path, _exchanges(problem, path))
        if path is before:
            return path
    return path


def _replacements(problem: Problem, path: np.ndarray, i: int) -> np.ndarray:
    """Playlists (b, n) with another track at position i that may be cheaper than `path`, which is the last of them."""
    others = np.delete(path, i)
    cost = problem.step[path[i - 1]] + problem.step[:, path[i + 1]] + problem.far[i]
    room = float((problem.total(path[None]) - problem.costs(path[None]))[0])
    free = ~np.isin(problem.group, problem.group[others])
    rows = np.flatnonzero(free & (cost < cost[path[i]] + (room if room >= BREACH else 0.0) - 1e-9))
    paths = np.repeat(path[None], len(rows), axis=0)
    paths[:, i] = rows
    return paths


def _exchanges(problem: Problem, path: np.ndarray) -> np.ndarray:
    """Playlists (b, n) with two tracks of `path` exchanged, which are at most `APART` positions apart."""
    free = np.array([i for i in range(problem.n) if i not in problem.fixed], int)
    pairs = [(i, j) for k, i in enumerate(free) for j in free[k + 1 : k + 1 + APART]]
    first, second = np.array(pairs, int).reshape(-1, 2).T
    paths = np.repeat(path[None], len(first), axis=0)
    rows = np.arange(len(first))
    paths[rows, first], paths[rows, second] = path[second], path[first]
    return paths


def _cheapest(problem: Problem, path: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The cheapest of `others`, or `path` itself where none is cheaper."""
    if not len(others):
        return path
    totals = problem.total(others)
    return others[np.argmin(totals)] if totals.min() < problem.total(path[None])[0] - 1e-9 else path
