"""Tastes: how many are found, their weights, and how tracks fit them."""

import numpy as np
import pytest

from audioae.recommend.tastes import MAX_TASTES, MAX_TRACKS, MIN_SHARE, find_tastes, same_taste_distance, taste_fit
from tests.recommend.made import styles


@pytest.fixture(scope="module")
def catalog():
    return styles(n_styles=12, n_each=40)


def test_finds_two_tastes_and_fits_both(catalog):
    vectors, style = catalog
    rows = np.flatnonzero((style == 0) | (style == 1))[::2]
    tastes = find_tastes(vectors, rows, np.ones(len(rows)), same_taste_distance(vectors))
    assert len(tastes.shares) == 2
    assert {frozenset(style[members]) for members in tastes.members} == {frozenset([0]), frozenset([1])}
    fit = taste_fit([tastes], vectors)[0]
    unplayed = np.setdiff1d(np.arange(len(vectors)), rows)
    best = unplayed[np.argsort(-fit[unplayed])][:40]
    assert set(style[best]) == {0, 1}
    assert np.allclose(np.linalg.norm(tastes.centroids, axis=1), 1, atol=1e-5)


def test_finds_one_taste(catalog):
    vectors, style = catalog
    rows = np.flatnonzero(style == 3)
    assert len(find_tastes(vectors, rows, np.ones(len(rows)), same_taste_distance(vectors)).shares) == 1


def test_drops_occasional_plays(catalog):
    vectors, style = catalog
    rows = np.append(np.flatnonzero(style == 0), np.flatnonzero(style == 5)[0])
    tastes = find_tastes(vectors, rows, np.ones(len(rows)), same_taste_distance(vectors))
    assert [set(style[members]) for members in tastes.members] == [{0}]
    assert tastes.shares.tolist() == [1.0]


def test_weights_determine_shares_and_order(catalog):
    vectors, style = catalog
    rows = np.flatnonzero((style == 0) | (style == 1))
    weights = np.where(style[rows] == 1, 3.0, 1.0)
    weights[-1] = 10
    tastes = find_tastes(vectors, rows, weights, same_taste_distance(vectors))
    assert set(style[tastes.members[0]]) == {1}
    assert tastes.members[0][0] == rows[-1]
    assert tastes.shares[0] == pytest.approx((3 * 39 + 10) / (3 * 39 + 10 + 40))


def test_single_play_and_history_without_clusters(catalog):
    vectors, _ = catalog
    one = find_tastes(vectors, np.array([7]), np.ones(1), 0.5)
    assert np.allclose(one.centroids[0], vectors[7], atol=1e-6)
    many = find_tastes(np.eye(200, dtype=np.float32), np.arange(200), np.ones(200), 0.5)
    assert len(many.shares) == 1  # all are below MIN_SHARE: one of them is kept
    assert MIN_SHARE > 1 / 200


def test_long_history_is_cut_to_the_largest_weights():
    vectors, _ = styles(n_styles=10, n_each=100)
    tastes = find_tastes(vectors, np.arange(1000), np.linspace(1, 2, 1000), same_taste_distance(vectors))
    used = np.concatenate(tastes.members)
    assert used.min() >= 1000 - MAX_TRACKS
    assert len(tastes.shares) <= MAX_TASTES


def test_fit_of_many_listeners_equals_the_fit_of_each(catalog):
    vectors, style = catalog
    distance = same_taste_distance(vectors)
    all_tastes = [
        find_tastes(vectors, np.flatnonzero(np.isin(style, liked)), np.ones(40 * len(liked)), distance)
        for liked in ([0], [1, 2], [3, 4, 5])
    ]
    together = taste_fit(all_tastes, vectors)
    for row, tastes in enumerate(all_tastes):
        assert np.allclose(together[row], taste_fit([tastes], vectors)[0], atol=1e-5)
    assert together.max() <= 1e-5


def test_distance_of_one_taste_adapts_to_the_catalog():
    near, _ = styles(n_styles=3, n_each=50, spread=0.05)
    assert same_taste_distance(near) < 0.1
    assert same_taste_distance(near[:1]) == 1.0
