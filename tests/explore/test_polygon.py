"""Which points are inside of a polygon: against matplotlib's path, and the cost at a million."""

import time

import numpy as np
import pytest
from matplotlib.path import Path

from audioae.explore.polygon import MAX_VERTICES, inside


def points(n: int, seed: int = 0) -> np.ndarray:
    """Shape (n, 2), float32, in the order of y."""
    made = np.random.default_rng(seed).uniform(-10, 10, (n, 2)).astype(np.float32)
    return made[np.argsort(made[:, 1])]


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def lasso(n: int, seed: int) -> np.ndarray:
    """A closed line as a hand draws it, that does not cross itself."""
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, n))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * random.uniform(2, 9, n)[:, None]


@pytest.mark.parametrize("n_vertices", [3, 4, 17, 200, MAX_VERTICES])
def test_inside_is_that_of_matplotlib(n_vertices: int):
    made, polygon = points(20_000, n_vertices), lasso(n_vertices, n_vertices)
    got = inside(polygon, made[:, 0], made[:, 1])
    differs = np.flatnonzero(got != Path(polygon).contains_points(made))
    assert 0 < got.sum() < len(made)
    assert all(distance(made[place], polygon) < 1e-5 for place in differs)


def distance(point: np.ndarray, polygon: np.ndarray) -> float:
    """From a point to the nearest edge."""
    start, along = polygon, np.roll(polygon, -1, axis=0) - polygon
    share = np.clip(((point - start) * along).sum(axis=1) / (along**2).sum(axis=1), 0, 1)
    return float(np.linalg.norm(start + share[:, None] * along - point, axis=1).min())


def test_polygons_that_share_an_edge_have_each_point_once():
    made = points(50_000)
    corners = np.array([[-9, -9], [1.3, -9], [2.7, 9], [-9, 9]]), np.array([[1.3, -9], [9, -9], [9, 9], [2.7, 9]])
    halves = [inside(one, made[:, 0], made[:, 1]) for one in corners]
    whole = inside(np.array([[-9, -9], [9, -9], [9, 9], [-9, 9]]), made[:, 0], made[:, 1])
    assert not (halves[0] & halves[1]).any()
    assert np.array_equal(halves[0] | halves[1], whole)


def test_where_a_line_crosses_itself_twice_enclosed_is_outside():
    x, y = floats(0, 0, 0), floats(-1.5, 0, 1.5)
    bow = [[-1, -2], [1, -2], [-1, 2], [1, 2]]  # two triangles that touch at 0, 0
    assert inside(np.array(bow), x, y).tolist() == [True, False, True]
    star = [[np.cos(2 * np.pi * 2 * k / 5), np.sin(2 * np.pi * 2 * k / 5)] for k in range(5)]
    assert inside(np.array(star), floats(0.0), floats(0.0)).tolist() == [False]


@pytest.mark.filterwarnings("error")
def test_flat_and_steep_polygons():
    made = points(100)
    assert not inside(np.array([[0, 1], [5, 1], [9, 1]]), made[:, 0], made[:, 1]).any()
    assert not inside(np.zeros((3, 2)), made[:, 0], made[:, 1]).any()
    huge = np.array([[-1e9, -1e9], [1e9, -1e9], [1e9, 1e9], [-1e9, 1e9]])
    assert inside(huge, made[:, 0], made[:, 1]).all()
    close = floats(1.0, np.nextafter(np.float32(1), np.float32(2)))
    assert inside(np.array([[-1e9, 1], [1e9, close[1]], [1e9, 3]]), np.zeros(2, np.float32), close).sum() <= 2
    assert inside(huge, np.empty(0, np.float32), np.empty(0, np.float32)).tolist() == []


@pytest.mark.parametrize("kind", ["lasso", "zigzag"])
def test_a_million_points_take_half_a_second_at_most(kind: str):
    made = points(1_000_000)
    across = np.stack([np.linspace(-10, 10, 200), np.where(np.arange(200) % 2, 11.0, -11.0)], axis=1)
    polygon = lasso(200, 1) if kind == "lasso" else across
    x, y = np.ascontiguousarray(made[:, 0]), np.ascontiguousarray(made[:, 1])
    start = time.process_time()
    inside(polygon, x, y)
    assert time.process_time() - start < 0.5
