"""Places of another version: brought onto the served map, or found among neighbors."""

import numpy as np
import pytest

import audioae
from audioae.explore.version_points import aligned, version_points
from audioae.pipeline.embeddings import read_embeddings
from tests.evaluation.versions import commit_map, retrain, styled_store

N = 60


def turned(points: np.ndarray) -> np.ndarray:
    """Mirrored, turned by 40 degrees, twice the size, elsewhere."""
    angle = np.radians(40)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return 2 * (points * [1, -1]) @ turn + [100, -30]


@pytest.fixture
def places() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N, 2)).astype(np.float32)


def test_a_turned_map_lies_on_the_other(places):
    assert aligned(turned(places), places) == pytest.approx(places, abs=1e-5)


def test_tracks_without_a_place_do_not_count(places):
    moved = turned(places)
    moved[5] = np.nan
    target = places.copy()
    target[9] = np.nan
    found = aligned(moved, target)
    assert np.isnan(found[5]).all()
    assert np.delete(found, 5, 0) == pytest.approx(np.delete(places, 5, 0), abs=1e-5)


def test_maps_in_one_point_or_without_common_tracks_do_not_break(places):
    assert aligned(np.ones((N, 2)), places) == pytest.approx(np.tile(places.mean(axis=0), (N, 1)), abs=1e-5)
    assert np.isnan(aligned(np.full((N, 2), np.nan), places)).all()


def test_another_map_is_in_the_rows_of_this_one(tmp_path, places):
    store, _ = styled_store(tmp_path / "store", N)
    old_index = store.require("index")
    commit_map(store, turned(places), [0] * N, {0: "all"})
    retrain(store, lambda vectors: vectors[::-1], leave_out=[3])
    commit_map(store, np.delete(places, 3, 0), [0] * (N - 1), {0: "all"})
    library = audioae.open(store.root)
    opened = library.map()
    found = version_points(opened, old_index)
    assert found.source == "map"
    assert found.points == pytest.approx(opened.points, abs=1e-4)


def test_without_a_map_a_track_is_among_its_neighbors(tmp_path):
    store, embeddings = styled_store(tmp_path / "store", N)

    def swapped(vectors: np.ndarray) -> np.ndarray:
        """Tracks 8 (style 0) and 9 (style 1) sound like each other's style."""
        changed = vectors.copy()
        changed[[8, 9]] = vectors[[9, 8]]
        return changed

    retrain(store, swapped)
    styles = np.arange(N) % 4
    corners = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])
    places = corners[styles] + 0.1 * np.random.default_rng(1).standard_normal((N, 2))
    commit_map(store, places, styles.tolist(), {i: f"style {i}" for i in range(4)})
    opened = audioae.open(store.root).map()
    found = version_points(opened, embeddings)
    assert found.source == "neighbors"
    row_of = opened.rows_of([f"t{i:02d}" for i in range(N)])
    points = found.points[row_of]
    assert points == pytest.approx(corners[styles], abs=0.3)  # tracks 8 and 9 too: at the style that they had before

    vectors = read_embeddings(store, embeddings).embeddings
    scores = vectors[20] @ vectors.T
    scores[20] = -1
    nearest = np.argsort(-scores)[:5]
    mean = np.average(opened.points[row_of[nearest]], axis=0, weights=scores[nearest])
    assert points[20] == pytest.approx(mean, abs=1e-4)
