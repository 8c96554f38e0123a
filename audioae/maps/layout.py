"""The layout: places in two dimensions such that close tracks stay close (UMAP).

Conventions
-----------
- Pure: arrays in, arrays out. The same arrays and seed give the same places on the same machine.
- Distances are between unit vectors; neighbors are of the track itself, without it, the nearest first.
- Places are (n, 2) float32 in UMAP's own unit, in which close tracks are about `min_dist` apart.

Why parts of umap-learn and not its class: the class stretches the places it starts from to a square, each axis by
itself, and so changes the shape of the last map; and it measures all pairs of up to 4,096 tracks again, although their
neighbors are known.

Why a lower learning rate from the last map: with 600 made tracks, 100 of them new, shared tracks moved by a median of
2.9 % of the map's diagonal at a rate of .05, by 10.6 % at 1, and each kept 64 to 65 % of its neighbors.

Why principal components to start from where there is no last map: an informative start keeps the large-scale order of
the tracks (Kobak and Linderman 2021), and these have no solver that may not converge.

Source: McInnes, Healy and Melville 2018, "UMAP: Uniform Manifold Approximation and Projection".
"""

from typing import Any

import numpy as np

from audioae.search.projection import fit_plane

SPREAD = 10.0  # largest coordinate of the principal components at the start
JITTER = 1e-4  # no two tracks start at the same place: they could never part
NEGATIVES = 5  # pushes for each pull; UMAP's default
EPOCHS = 200
SMALL, EPOCHS_OF_FEW = 10_000, 500  # UMAP's default for few tracks
FRESH, SETTLED = 1.0, 0.05  # UMAP's learning rate, and that of places which need only give way to new tracks


def fit_layout(graph: Any, start: np.ndarray, *, min_dist: float, seed: int, rate: float = FRESH) -> np.ndarray:
    """Lay out tracks whose neighbors are known.

    Parameters
    ----------
    graph : scipy.sparse.coo_matrix, shape (n, n)
        Of `neighbor_graph`.
    start : np.ndarray, shape (n, 2), float32
        Where the tracks are at the start.
    min_dist : float
        UMAP's.
    seed : int
    rate : float
        The learning rate: how far a track may move at a time. `SETTLED` if `start` is from an earlier layout.

    Returns
    -------
    places : np.ndarray, shape (n, 2), float32
    """
    from sklearn.utils import check_random_state

    from audioae.maps.umap_parts import find_ab_params, make_epochs_per_sample, optimize_layout_euclidean

    random = check_random_state(seed)
    n_epochs = EPOCHS_OF_FEW if len(start) <= SMALL and rate == FRESH else EPOCHS
    drawn = graph.data >= graph.data.max() / n_epochs
    a, b = find_ab_params(1.0, min_dist)
    places = (start + random.normal(scale=JITTER * SPREAD, size=start.shape)).astype(np.float32)
    laid_out: Any = optimize_layout_euclidean(
        places,
        places,
        graph.row[drawn],
        graph.col[drawn],
        n_epochs,
        len(start),
        make_epochs_per_sample(graph.data[drawn], n_epochs),
        a,
        b,
        random.randint(np.iinfo(np.int32).min + 1, np.iinfo(np.int32).max - 1, 3).astype(np.int64),
        initial_alpha=rate,
        negative_sample_rate=NEGATIVES,
        move_other=True,
    )
    return laid_out


def neighbor_graph(rows: np.ndarray, distances: np.ndarray, seed: int) -> Any:
    """The weighted graph that UMAP lays out, symmetric: a scipy.sparse.coo_matrix of shape (n, n) with 0 < weight <= 1.

    Parameters
    ----------
    rows : np.ndarray, shape (n, k), int64
        The neighbors of each track; k at least 1.
    distances : np.ndarray, shape (n, k), float32
        To the neighbors, ascending.
    seed : int
    """
    from sklearn.utils import check_random_state

    from audioae.maps.umap_parts import fuzzy_simplicial_set

    n = len(rows)
    own = np.column_stack([np.arange(n), rows]), np.column_stack([np.zeros(n, np.float32), distances])
    made: Any = fuzzy_simplicial_set(
        np.empty((n, 0)),  # only its length counts, since the neighbors are known
        own[0].shape[1],
        check_random_state(seed),
        "euclidean",
        knn_indices=own[0],
        knn_dists=own[1],
    )
    graph = made[0].tocoo()
    graph.sum_duplicates()
    return graph


def principal_places(vectors: np.ndarray) -> np.ndarray:
    """Places on the two principal axes, shape (n, 2), float32, with `SPREAD` as their largest coordinate."""
    places = fit_plane(vectors).project(vectors)
    return (places * (SPREAD / max(np.abs(places).max(), 1e-12))).astype(np.float32)


def place_among(rows: np.ndarray, distances: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Place tracks at the weighted mean of their neighbors' places, as UMAP starts to transform.

    Parameters
    ----------
    rows : np.ndarray, shape (n, k), int64
        The neighbors of each track in `places`; -1: none, after all others.
    distances : np.ndarray, shape (n, k), float32
        Ascending.
    places : np.ndarray, shape (n_fitted, 2), float32

    Returns
    -------
    placed : np.ndarray, shape (n, 2), float32
    """
    from audioae.maps.umap_parts import smooth_knn_dist

    scale, _ = smooth_knn_dist(distances.astype(np.float32), float(distances.shape[1]), local_connectivity=0.0)
    weights = np.exp(-distances / np.maximum(scale, 1e-12)[:, None]) * (rows >= 0)
    same = (distances <= 0) & (rows >= 0)  # a track at no distance is at its neighbor's place
    weights = np.where(same.any(axis=1, keepdims=True), same, weights)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    return np.einsum("nk,nkd->nd", weights, places[rows]).astype(np.float32)
