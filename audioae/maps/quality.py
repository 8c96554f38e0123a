"""How well a map keeps neighbors: what to trust in it."""

import numpy as np

K = 10
QUERIES = 2000  # tracks that are looked up


def neighbors_kept(places: np.ndarray, rows: np.ndarray) -> float | None:
    """The share of the nearest neighbors that are also among as many nearest on the map; 1 is perfect.

    Parameters
    ----------
    places : np.ndarray, shape (n, 2)
    rows : np.ndarray, shape (n, k), int64
        The neighbors of each track, without itself, nearest first. The first `K` count.

    Returns
    -------
    kept : float or None
        None if there are no neighbors.
    """
    from scipy.spatial import KDTree

    k = min(K, rows.shape[1])
    if not k:
        return None
    asked = np.linspace(0, len(places) - 1, min(QUERIES, len(places))).astype(np.int64)
    found = np.asarray(KDTree(places).query(places[asked], k + 1)[1])
    own = found == asked[:, None]
    own[~own.any(axis=1), -1] = True  # more than k tracks are at its place
    others = found[~own].reshape(len(asked), k)
    hits = (others[:, :, None] == rows[asked, None, :k]).any(axis=2)
    return round(float(hits.mean()), 4)
