"""Aligning a layout with the last one."""

import numpy as np
import pytest

from audioae.maps.alignment import align, diagonal, shift

PLACES = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_turned_mirrored_scaled_and_moved_layout_comes_back(mirrored: bool):
    turn = np.array([[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]]) @ np.diag([1, -1 if mirrored else 1])
    other = 3 * PLACES @ turn + [10, -4]
    aligned = align(other, PLACES).apply(other)
    assert aligned.dtype == np.float32
    assert np.allclose(aligned, PLACES, atol=1e-4)
    assert np.linalg.det(align(other, PLACES).rotation) == pytest.approx(-1 if mirrored else 1)


def test_new_tracks_go_where_the_shared_ones_take_them():
    other = -PLACES + 5
    assert np.allclose(align(other[:40], PLACES[:40]).apply(other)[40:], PLACES[40:], atol=1e-4)


@pytest.mark.parametrize("places", [PLACES[:0], PLACES[:2], np.zeros((5, 2))])
def test_what_determines_no_similarity_changes_nothing(places: np.ndarray):
    aligned = align(places, np.ones_like(places)).apply(PLACES)
    assert np.array_equal(aligned, PLACES)


def test_a_shift_is_a_share_of_the_diagonal():
    places = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert diagonal(places) == 5
    assert shift(places, np.array([[0.0, 1.0], [3.0, 4.0]]), 5).tolist() == [0.2, 0]
