"""Tastes: several are not averaged into none, one is not split, noise is dropped."""

import numpy as np
import pytest

from audioae.recommend.tastes import MAX_TASTES, MIN_SHARE, MOST_TRACKS, alike_distance, find_tastes, fit_of
from tests.playlists.made import styles


@pytest.fixture(scope="module")
def catalog():
    return styles(n_styles=12, n_each=40)


def test_two_tastes_are_found_and_fit_better_than_their_average(catalog):
    vectors, style = catalog
    rows = np.flatnonzero((style == 0) | (style == 1))[::2]
    tastes = find_tastes(vectors, rows, np.ones(len(rows)), alike_distance(vectors))
    assert len(tastes.shares) == 2
    assert {frozenset(style[members]) for members in tastes.members} == {frozenset([0]), frozenset([1])}
    fit = fit_of([tastes], vectors)[0]
    unplayed = np.setdiff1d(np.arange(len(vectors)), rows)
    best = unplayed[np.argsort(-fit[unplayed])][:40]
    assert set(style[best]) == {0, 1}
    assert np.allclose(np.linalg.norm(tastes.centroids, axis=1), 1, atol=1e-5)


def test_one_taste_stays_one(catalog):
    vectors, style = catalog
    rows = np.flatnonzero(style == 3)
    assert len(find_tastes(vectors, rows, np.ones(len(rows)), alike_distance(vectors)).shares) == 1


def test_what_is_played_now_and_then_is_no_taste(catalog):
    vectors, style = catalog
    rows = np.append(np.flatnonzero(style == 0), np.flatnonzero(style == 5)[0])
    tastes = find_tastes(vectors, rows, np.ones(len(rows)), alike_distance(vectors))
    assert [set(style[members]) for members in tastes.members] == [{0}]
    assert tastes.shares.tolist() == [1.0]


def test_weights_order_tastes_and_members(catalog):
    vectors, style = catalog
    rows = np.flatnonzero((style == 0) | (style == 1))
    weights = np.where(style[rows] == 1, 3.0, 1.0)
    weights[-1] = 10
    tastes = find_tastes(vectors, rows, weights, alike_distance(vectors))
    assert set(style[tastes.members[0]]) == {1}
    assert tastes.members[0][0] == rows[-1]
    assert tastes.shares[0] == pytest.approx((3 * 39 + 10) / (3 * 39 + 10 + 40))


def test_a_single_play_and_a_history_without_any_taste(catalog):
    vectors, _ = catalog
    one = find_tastes(vectors, np.array([7]), np.ones(1), 0.5)
    assert np.allclose(one.centroids[0], vectors[7], atol=1e-6)
    many = find_tastes(np.eye(200, dtype=np.float32), np.arange(200), np.ones(200), 0.5)
    assert len(many.shares) == 1  # each far below MIN_SHARE: the first stands for all
    assert MIN_SHARE > 1 / 200


def test_long_histories_are_cut_to_what_counts_most():
    vectors, _ = styles(n_styles=10, n_each=100)
    tastes = find_tastes(vectors, np.arange(1000), np.linspace(1, 2, 1000), alike_distance(vectors))
    used = np.concatenate(tastes.members)
    assert used.min() >= 1000 - MOST_TRACKS
    assert len(tastes.shares) <= MAX_TASTES


def test_fit_of_many_is_fit_of_each(catalog):
    vectors, style = catalog
    distance = alike_distance(vectors)
    all_tastes = [
        find_tastes(vectors, np.flatnonzero(np.isin(style, liked)), np.ones(40 * len(liked)), distance)
        for liked in ([0], [1, 2], [3, 4, 5])
    ]
    together = fit_of(all_tastes, vectors)
    for row, tastes in enumerate(all_tastes):
        assert np.allclose(together[row], fit_of([tastes], vectors)[0], atol=1e-5)
    assert together.max() <= 1e-5


def test_alike_distance_goes_with_the_catalog():
    near, _ = styles(n_styles=3, n_each=50, spread=0.05)
    assert alike_distance(near) < 0.1
    assert alike_distance(near[:1]) == 1.0
