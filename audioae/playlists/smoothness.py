"""How smooth a playlist is: its steps beside those of others between the same waypoints.

Conventions
-----------
- A step is an angle in radians; what is said of a playlist is the mean and the largest of its steps.
- "nearest" is the tracks nearest to the points of the ideal path, from the same pool under the same rules.
  "random order" is the playlist's own tracks, shuffled between its waypoints: the mean of `SHUFFLES`.
  "straight line" is the path itself, which no tracks can go below.
"""

from dataclasses import replace

import numpy as np

from audioae.playlists.rules import Problem
from audioae.playlists.search import search

SHUFFLES = 50


def compare_steps(embeddings: np.ndarray, problem: Problem, order: np.ndarray) -> dict[str, dict[str, float]]:
    """Mean and largest step by name, of a playlist and of what it is compared with.

    Parameters
    ----------
    embeddings : np.ndarray, shape (p, dim)
        Of the pool.
    problem : Problem
    order : np.ndarray, shape (n,)
        Pool numbers.
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
    of: dict[str, list[np.ndarray]] = {
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
        for name, runs in of.items()
    }


def step_angles(embeddings: np.ndarray) -> np.ndarray:
    """Angles (n - 1,) in radians from each row of (n, dim) to the next."""
    return np.arccos(np.clip(np.einsum("ij,ij->i", embeddings[:-1], embeddings[1:]), -1, 1))
