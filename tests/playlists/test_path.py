"""The ideal path: arcs, chords and positions of waypoints."""

import itertools

import numpy as np
import pytest

from audioae.playlists.path import angles, interpolate, place_waypoints
from audioae.playlists.smoothness import step_angles
from tests.search.made import clustered


def test_arc_has_equal_angles_and_passes_the_waypoints():
    ends = clustered(3, seed=1)
    places = place_waypoints(ends, 12)
    points = interpolate(ends, places, "spherical")
    np.testing.assert_allclose(points[places], ends, atol=1e-5)
    for start, end in itertools.pairwise(places):
        steps = step_angles(points[start : end + 1])
        np.testing.assert_allclose(steps, steps[0], atol=1e-3)


def test_chord_has_smaller_steps_near_its_ends():
    ends = np.eye(2, 128, dtype=np.float32)
    steps = step_angles(interpolate(ends, np.array([0, 8]), "linear"))
    assert steps[0] < steps[4]
    assert steps.sum() == pytest.approx(np.pi / 2, abs=1e-3)


@pytest.mark.parametrize("sign", [1, -1])
def test_same_and_opposite_ends_have_a_path(sign: int):
    end = clustered(1, seed=1)
    points = interpolate(np.concatenate([end, sign * end]), np.array([0, 4]), "spherical")
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(points[-1], sign * end[0], atol=1e-5)


def test_identical_waypoints_get_different_positions():
    ends = np.concatenate([clustered(1, seed=1)] * 4 + [clustered(1, seed=2)])
    places = place_waypoints(ends, 5)
    assert places.tolist() == [0, 1, 2, 3, 4]
    assert (np.diff(place_waypoints(ends, 9)) >= 1).all()


def test_angles_are_between_rows():
    a = clustered(5, seed=1)
    assert angles(a, a).diagonal() == pytest.approx(np.zeros(5), abs=1e-3)
    assert angles(a[:1], -a[:1])[0, 0] == pytest.approx(np.pi, abs=1e-3)
