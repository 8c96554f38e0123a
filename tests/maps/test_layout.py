"""The layout keeps neighbors together, the same way each time."""

import numpy as np
import pytest

from audioae.maps.layout import fit_layout, neighbor_graph, place_among, principal_places
from audioae.maps.quality import neighbors_kept
from audioae.search.recall import exact_neighbors
from tests.search.made import clustered

VECTORS = clustered(300, seed=3)


def neighbors(vectors: np.ndarray, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Rows and distances of the nearest others; no two of the vectors are equal."""
    scores, rows = exact_neighbors(vectors, vectors, k + 1)
    return rows[:, 1:], np.sqrt(np.maximum(2 - 2 * scores[:, 1:], 0))


def test_close_tracks_are_closer_than_on_the_principal_axes():
    rows, distances = neighbors(VECTORS)
    graph, start = neighbor_graph(rows, distances, 0), principal_places(VECTORS)
    places = fit_layout(graph, start, min_dist=0.1, seed=0)
    assert (places.shape, places.dtype) == ((300, 2), np.float32)
    kept, kept_by_axes = neighbors_kept(places, rows), neighbors_kept(start, rows)
    assert kept is not None
    assert kept_by_axes is not None
    assert kept > 0.6 > 0.3 > kept_by_axes
    again = fit_layout(neighbor_graph(rows, distances, 0), principal_places(VECTORS), min_dist=0.1, seed=0)
    assert np.array_equal(places, again)
    assert not np.array_equal(places, fit_layout(graph, start, min_dist=0.1, seed=1))


def test_the_start_fills_the_map():
    places = principal_places(VECTORS)
    assert np.abs(places).max() == pytest.approx(10, abs=1e-4)
    assert places[:, 0].var() >= places[:, 1].var()
    assert principal_places(np.ones((1, 128), np.float32)).tolist() == [[0, 0]]


def test_others_are_placed_among_their_neighbors():
    places = np.array([[0, 0], [4, 0], [0, 4], [9, 9]], np.float32)
    rows = np.array([[0, 1, 2], [1, 0, 2], [2, -1, -1]])
    distances = np.array([[0.5, 0.5, 0.5], [0.0, 0.7, 0.8], [0.5, 2.0, 2.0]], np.float32)
    placed = place_among(rows, distances, places)
    assert np.allclose(placed, [[4 / 3, 4 / 3], [4, 0], [0, 4]], atol=1e-5)


def test_the_nearest_neighbor_counts_most():
    places = np.array([[0, 0], [10, 0]], np.float32)
    near, far = place_among(np.array([[0, 1], [1, 0]]), np.array([[0.2, 0.9], [0.2, 0.9]], np.float32), places)
    assert 0 < near[0] < 5 < far[0] < 10


def test_all_or_no_neighbors_kept():
    line = np.column_stack([np.arange(40.0) ** 1.5, np.zeros(40)])
    order = np.argsort(np.abs(line[:, :1] - line[:, 0]), axis=1, kind="stable")[:, 1:]
    assert neighbors_kept(line, order[:, :1]) == 1
    assert neighbors_kept(line, order[:, -1:]) == 0
    assert neighbors_kept(line, np.empty((40, 0), np.int64)) is None
    assert neighbors_kept(np.zeros((40, 2)), order[:, :5]) is not None, "all in one place"
