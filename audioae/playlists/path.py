"""The ideal path: points between the waypoints, which need not coincide with tracks.

Conventions
-----------
- Embeddings are rows of length 1. The distance of two is their angle in radians; it is a metric, so no walk from a to b
  in n - 1 steps has a mean or largest step below angle(a, b) / (n - 1).

Source: Shoemake 1985, "Animating rotation with quaternion curves" (slerp).
"""

from typing import Literal

import numpy as np


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute the angles (n, m), radians, float32, between the rows of a (n, dim) and b (m, dim), all of length 1.

    >>> angles(np.eye(2), np.eye(2)).round(2).tolist()
    [[0.0, 1.5700000524520874], [1.5700000524520874, 0.0]]
    """
    return np.arccos(np.clip(a @ b.T, -1.0, 1.0)).astype(np.float32)


def place_waypoints(waypoints: np.ndarray, n: int) -> np.ndarray:
    """Choose the positions (m,) of m waypoints among n tracks, in proportion to the angles between them.

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
    """Interpolate points of length 1, (n, dim), that pass the waypoints (m, dim) at their positions.

    Spherical points have equal angles between them. Linear points are evenly spaced on the chord and then scaled to
    length 1, which makes the steps near its ends smaller.
    """
    points = [waypoints[:1]]
    for a, b, steps in zip(waypoints[:-1], waypoints[1:], np.diff(positions), strict=True):
        shares = np.arange(1, steps + 1)[:, None] / steps
        points.append(_arc(a, b, shares) if path == "spherical" else a + shares * (b - a))
    line = np.concatenate(points).astype(np.float64)
    return (line / np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def interpolate_places(waypoints: np.ndarray, n: int) -> np.ndarray:
    """Interpolate `n` points, (n, dim), float32, through waypoints (m, dim) of any length, in equal steps of each leg.

    The direction moves along the arc and the length changes linearly: a decoder needs the length.

    >>> interpolate_places(np.array([[2.0, 0.0], [0.0, 4.0]]), 3).round(2).tolist()
    [[2.0, 0.0], [2.119999885559082, 2.119999885559082], [0.0, 4.0]]
    """
    lengths = np.maximum(np.linalg.norm(waypoints, axis=1), 1e-12)
    positions = np.arange(len(waypoints)) * (n - 1)  # n points on every leg, thinned below to n on the whole path
    directions = interpolate(waypoints / lengths[:, None], positions, "spherical")
    path = directions * np.interp(np.arange(positions[-1] + 1), positions, lengths)[:, None]
    return path[:: len(waypoints) - 1].astype(np.float32)


def _arc(a: np.ndarray, b: np.ndarray, shares: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    across = b - (a @ b) * a
    if np.linalg.norm(across) < 1e-6:  # same or opposite direction: every arc is equally short
        across = np.eye(len(a))[np.argmin(np.abs(a))]
        across = across - (a @ across) * a
    across /= np.linalg.norm(across)
    angle = np.arccos(np.clip(a @ b, -1.0, 1.0)) * shares
    return np.cos(angle) * a + np.sin(angle) * across
