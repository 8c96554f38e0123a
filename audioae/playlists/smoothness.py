"""Smoothness of a playlist: its steps compared with those of alternatives between the same waypoints.

Conventions
-----------
- A step is the angle between consecutive tracks in radians. Smoothness is the mean and the largest step.
- "nearest" consists of the tracks nearest to the ideal path, from the same pool under the same rules. "random order" is
  the same playlist, shuffled between its waypoints: the mean of `SHUFFLES` shuffles. "straight line" is the ideal path,
  a lower bound for all playlists.
"""

from dataclasses import replace

import numpy as np

from audioae.playlists.rules import Problem
from audioae.playlists.search import search

SHUFFLES = 50


def compare_steps(embeddings: np.ndarray, problem: Problem, order: np.ndarray) -> dict[str, dict[str, float]]:
    """Measure the mean and largest step of a playlist and of its alternatives, by name.

    Parameters
    ----------
    embeddings : np.ndarray, shape (p, dim)
        Embeddings of the pool.
    problem : Problem
    order : np.ndarray, shape (n,)
        The playlist, as positions in the pool.
    """
    nearest, _ = search(replace(problem, step=np.zeros_like(problem.step)))
    places = sorted(problem.fixed)
    ends = embeddings[[problem.fixed[place] for place in places]]
    straight = np.repeat(step_angles(ends) / np.diff(places), np.diff(places))
    free = np.array([i for i in range(problem.n) if i not in problem.fixed], int)
    rng, shuffled = np.random.default_rng(0), []
    for _ in range(SHUFFLES):
        mixed = order.copy()
        mixed[free] = order[rng.permutation(free)]
        shuffled.append(step_angles(embeddings[mixed]))
    steps_of: dict[str, list[np.ndarray]] = {
        "playlist": [step_angles(embeddings[order])],
        "nearest": [step_angles(embeddings[nearest])],
        "random order": shuffled,
        "straight line": [straight],
    }
    return {
        name: {
            "mean": float(np.mean([steps.mean() for steps in runs])),
            "largest": float(np.mean([steps.max() for steps in runs])),
        }
        for name, runs in steps_of.items()
    }


def step_angles(embeddings: np.ndarray) -> np.ndarray:
    """Angles (n - 1,), radians, from each row of (n, dim) to the next."""
    return np.arccos(np.clip(np.einsum("ij,ij->i", embeddings[:-1], embeddings[1:]), -1, 1))
