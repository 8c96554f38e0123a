"""Search for the best playlist over a pool: beam search from the first waypoint to the last, then local improvement.

Conventions
-----------
- A violation costs more than any path, so the search keeps all rules if it finds a way to.
- If the narrow beam finds none, `walk` searches again with the wide beam before it relaxes a rule.
- Both beams are exhaustive, so the playlist is the best one, if there are at most `WIDE` beginnings of each length.
  Beyond that there is no bound. With 840 beginnings (120 requests for six of nine tracks), the narrow beam found the
  best playlist for 106; only one of the others kept all rules, and it cost 14 % more. The wide beam found all 120.
"""

import numpy as np

from audioae.playlists.rules import VIOLATION, Problem, lookahead_cost, used

NARROW, WIDE = 96, 400
PER_TRACK = 4  # beginnings with the same last track that a narrow beam keeps
ROUNDS = 10
MAX_EXCHANGE = 24  # positions between two tracks that are exchanged


def search(problem: Problem, wide: bool = False) -> tuple[np.ndarray, float]:
    """Find a cheap playlist: positions in the pool (n,), and its cost with violations."""
    ends = _beam(problem, WIDE if wide else NARROW, WIDE if wide else PER_TRACK)
    best = ends[np.argmin(problem.total(ends))]
    best = _improve(problem, best)
    return best, float(problem.total(best[None])[0])


def _beam(problem: Problem, width: int, per_track: int) -> np.ndarray:
    """Extend the cheapest beginnings track by track to complete playlists (b, n)."""
    paths = np.array([[problem.fixed[0]]])
    costs = np.zeros(1)
    for i in range(1, problem.n):
        cost = costs[:, None] + problem.step[paths[:, -1]] + problem.far[i] + lookahead_cost(problem, paths)
        if i in problem.fixed:
            allowed = np.zeros(cost.shape, bool)
            allowed[:, problem.fixed[i]] = True
        else:
            allowed = ~used(problem, paths)
        cost = np.where(allowed, cost, np.inf)
        if allowed.sum() > WIDE:
            cost = _cheapest_beginnings(cost, width, per_track)
        before, last = np.nonzero(np.isfinite(cost))
        paths = np.column_stack([paths[before], last])
        costs = cost[before, last]
    return paths


def _cheapest_beginnings(cost: np.ndarray, width: int, per_track: int) -> np.ndarray:
    """Set all but the `width` cheapest of the costs (b, p) to infinity, and all but `per_track` of each last track."""
    if len(cost) > per_track:  # else all beginnings may end in one promising track
        limit = np.partition(cost, per_track - 1, axis=0)[per_track - 1]
        cost = np.where(cost <= limit, cost, np.inf)
    kept = np.argpartition(cost, width, axis=None)[:width]
    cheapest = np.full(cost.shape, np.inf)
    cheapest.flat[kept] = cost.flat[kept]
    return cheapest


def _improve(problem: Problem, path: np.ndarray) -> np.ndarray:
    """Replace single tracks and exchange pairs as long as the playlist becomes cheaper."""
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
    """Playlists (b, n) with another track at position i that may be cheaper than `path`."""
    others = np.delete(path, i)
    cost = problem.step[path[i - 1]] + problem.step[:, path[i + 1]] + problem.far[i]
    penalty = float((problem.total(path[None]) - problem.costs(path[None]))[0])
    free = ~np.isin(problem.group, problem.group[others])
    rows = np.flatnonzero(free & (cost < cost[path[i]] + (penalty if penalty >= VIOLATION else 0.0) - 1e-9))
    paths = np.repeat(path[None], len(rows), axis=0)
    paths[:, i] = rows
    return paths


def _exchanges(problem: Problem, path: np.ndarray) -> np.ndarray:
    """Playlists (b, n) with two tracks of `path` exchanged that are at most `MAX_EXCHANGE` positions apart."""
    free = np.array([i for i in range(problem.n) if i not in problem.fixed], int)
    pairs = [(i, j) for k, i in enumerate(free) for j in free[k + 1 : k + 1 + MAX_EXCHANGE]]
    first, second = np.array(pairs, int).reshape(-1, 2).T
    paths = np.repeat(path[None], len(first), axis=0)
    rows = np.arange(len(first))
    paths[rows, first], paths[rows, second] = path[second], path[first]
    return paths


def _cheapest(problem: Problem, path: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The cheapest of `others`, or `path` if none is cheaper."""
    if not len(others):
        return path
    totals = problem.total(others)
    return others[np.argmin(totals)] if totals.min() < problem.total(path[None])[0] - 1e-9 else path
