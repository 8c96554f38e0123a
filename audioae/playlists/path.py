"""The ideal path: points between waypoints, which no real track has to be at.

Conventions
-----------
- Embeddings are rows of length 1; distance is the angle between two, in radians. It is a metric, so no walk from a to b
  in n - 1 steps has a mean or largest step below angle(a, b) / (n - 1).

Source: Shoemake 1985, "Animating rotation with quaternion curves" (slerp).
"""

from typing import Literal

import numpy as np


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles (n, m) in radians, float32, between the rows of a (n, dim) and of b (m, dim), all of length 1.

    >>> angles(np.eye(2), np.eye(2)).round(2).tolist()
    [[0.0, 1.5700000524520874], [1.5700000524520874, 0.0]]
    """
    return np.arccos(np.clip(a @ b.T, -1.0, 1.0)).astype(np.float32)


def place_waypoints(waypoints: np.ndarray, n: int) -> np.ndarray:
    """Positions (m,) of m waypoints among n tracks: first and last at the ends, the others by the angles between them.

    >>> place_waypoints(np.eye(3), 5).tolist()
    [0, 2, 4]
    """
    m = len(waypoints)
    legs = np.array([angles(waypoints[i : i + 1], waypoints[i + 1 : i + 2])[0, 0] for i in range(m - 1)])
    shares = np.concatenate([[0.0], np.cumsum(legs + 1e-6)])
    ideal = np.round(shares / shares[-1] * (n - 1)).astype(int)
    earliest = np.arange(m)
    return np.minimum(np.maximum.accumulate(ideal - earliest) + earliest, n - m + earliest)


def interpolate(waypoints: np.ndarray, positions: np.ndarray, path: Literal["spherical", "linear"]) -> np.ndarray:
    """Points of length 1, (n, dim), that go through the waypoints (m, dim) at their positions.

    Spherical points stand at even angles; linear ones on the chord, brought to length 1, so closer at its ends.
    """
    points = [waypoints[:1]]
    for a, b, steps in zip(waypoints[:-1], waypoints[1:], np.diff(positions), strict=True):
        shares = np.arange(1, steps + 1)[:, None] / steps
        points.append(_arc(a, b, shares) if path == "spherical" else a + shares * (b - a))
    found = np.concatenate(points).astype(np.float64)
    return (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def _arc(a: np.ndarray, b: np.ndarray, shares: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    across = b - (a @ b) * a
    if np.linalg.norm(across) < 1e-6:  # the same direction, or the opposite one: any way round is as short
        across = np.eye(len(a))[np.argmin(np.abs(a))]
        across = across - (a @ across) * a
    across /= np.linalg.norm(across)
    angle = np.arccos(np.clip(a @ b, -1.0, 1.0)) * shares
    return np.cos(angle) * a + np.sin(angle) * across
