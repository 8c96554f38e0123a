"""Regions of a map: communities of the neighbor graph, which keep their numbers from version to version.

Conventions
-----------
- A region is a number; every track is in one. Communities with too few tracks join the region around them.
- The numbers of the last map go to the regions that share most tracks with its regions; a number that is given up is
  never given again.

Why Leiden and not HDBSCAN: on the demo (12 labels, 176 tracks) they agree with the labels about as well (adjusted Rand
index .77 to .84 over resolutions of .5 to 3, against .70 to .78 over smallest regions of 5 to 10), but with a smallest
region of 15 HDBSCAN sees two regions, one of 88 % of the tracks, and it leaves tracks between its clusters out. Leiden
divides a catalog without gaps, too.

Source: Traag, Waltman and van Eck 2019, "From Louvain to Leiden".
"""

from typing import Any

import numpy as np

RESOLUTION = 1.5  # of modularity: higher makes more and smaller regions
RANDOMNESS = 0.001
LEAST_OVERLAP = 0.3  # shared tracks of two regions by all tracks of both, for them to be one region


def communities(graph: Any, seed: int) -> np.ndarray:
    """Leiden communities of a symmetric scipy.sparse.coo_matrix, shape (n,), int64, numbered from 0."""
    from graspologic_native import leiden  # pyright: ignore[reportAttributeAccessIssue] - compiled

    once = graph.row < graph.col
    names = [str(row) for row in range(graph.shape[0])]
    ends = zip(graph.row[once].tolist(), graph.col[once].tolist(), graph.data[once].tolist(), strict=True)
    edges = [(names[one], names[other], float(weight)) for one, other, weight in ends]
    if not edges:
        return np.zeros(len(names), np.int64)
    settings = {"resolution": RESOLUTION, "randomness": RANDOMNESS, "iterations": 1, "trials": 1, "seed": seed}
    _, found = leiden(edges=edges, starting_communities=None, use_modularity=True, **settings)
    alone = max(found.values()) + 1
    return np.array([found.get(name, alone + row) for row, name in enumerate(names)])  # a track without neighbors


def merge_small(region: np.ndarray, places: np.ndarray, smallest: int) -> np.ndarray:
    """Tracks of regions below `smallest` join the region of the nearest other track; numbered by size from 0.

    Parameters
    ----------
    region : np.ndarray, shape (n,), int64
    places : np.ndarray, shape (n, 2)
    smallest : int
        If no region is that large, all is one region.
    """
    large = np.bincount(region)[region] >= smallest
    if not large.any():
        return np.zeros_like(region)
    merged = region.copy()
    merged[~large] = region[large][nearest(places[large], places[~large])]
    values, inverse, counts = np.unique(merged, return_inverse=True, return_counts=True)
    rank = np.empty(len(values), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(values))
    return rank[inverse]


def nearest(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Row in `places` that is nearest to each of `others`, shape (n_others,), int64."""
    from scipy.spatial import KDTree

    return np.asarray(KDTree(places).query(others)[1], np.int64) if len(others) else np.empty(0, np.int64)


def keep_numbers(region: np.ndarray, last: np.ndarray, next_number: int) -> tuple[np.ndarray, int]:
    """Give regions the numbers that they had on the last map.

    Parameters
    ----------
    region : np.ndarray, shape (n,), int64
        From 0, none left out.
    last : np.ndarray, shape (n,), int64
        On the last map; -1 for a track that it did not have.
    next_number : int
        The first number that no map has used.

    Returns
    -------
    region : np.ndarray, shape (n,), int64
    next_number : int

    >>> keep_numbers(np.array([0, 0, 1, 1, 2]), np.array([7, 7, -1, 3, -1]), 8)
    (array([7, 7, 3, 3, 8]), 9)
    """
    from scipy.optimize import linear_sum_assignment

    n, shared = int(region.max(initial=-1)) + 1, last >= 0
    before, column = np.unique(last[shared], return_inverse=True)
    both = np.zeros((n, len(before)))
    np.add.at(both, (region[shared], column), 1)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    overlap = both / np.maximum(either, 1)
    numbers = np.full(n, -1, np.int64)
    for one, other in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
        if overlap[one, other] >= LEAST_OVERLAP:
            numbers[one] = before[other]
    new = np.flatnonzero(numbers < 0)
    numbers[new] = np.arange(next_number, next_number + len(new))
    return numbers[region], next_number + len(new)


def middles(region: np.ndarray, places: np.ndarray) -> dict[int, tuple[float, float]]:
    """The place of the track that is nearest to the middle of each region: a name there is always on its region.

    The middle is the median of each coordinate.
    """
    found = {}
    for number in np.unique(region).tolist():
        own = places[region == number]
        at = own[np.square(own - np.median(own, axis=0)).sum(axis=1).argmin()]
        found[number] = (float(at[0]), float(at[1]))
    return found
