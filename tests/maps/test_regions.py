"""Regions are communities, and keep their numbers."""

import numpy as np
from scipy.sparse import coo_matrix

from audioae.maps.regions import communities, keep_numbers, merge_small, middles


def test_two_groups_with_one_link_are_two_communities():
    blocks = np.zeros((10, 10))
    blocks[:5, :5] = blocks[5:, 5:] = 1
    np.fill_diagonal(blocks, 0)
    blocks[4, 5] = blocks[5, 4] = 0.1
    region = communities(coo_matrix(blocks), 0)
    assert len({*region[:5]}) == len({*region[5:]}) == 1
    assert region[0] != region[9]
    assert np.array_equal(region, communities(coo_matrix(blocks), 0))


def test_tracks_without_neighbors_are_alone():
    graph = coo_matrix((np.ones(2), ([0, 1], [1, 0])), shape=(4, 4))
    assert len({*communities(graph, 0)[1:]}) == 3
    assert communities(coo_matrix((3, 3)), 0).tolist() == [0, 0, 0]


def test_a_small_region_joins_the_one_around_it():
    places = np.array([[0, 0], [1, 0], [2, 0], [9, 0], [10, 0], [11, 0], [12, 0]])
    assert merge_small(np.array([5, 5, 3, 8, 8, 8, 8]), places, 2).tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert merge_small(np.array([5, 5, 3, 8, 8, 8, 8]), places, 9).tolist() == [0] * 7


def test_numbers_stay_and_are_never_given_again():
    last = np.array([4, 4, 4, 4, 2, 2, 2, -1])
    region, following = keep_numbers(np.array([0, 0, 0, 1, 2, 2, 2, 2]), last, 6)
    assert region.tolist() == [4, 4, 4, 6, 2, 2, 2, 2]
    assert following == 7
    region, following = keep_numbers(np.array([0, 1, 1]), np.full(3, -1), 7)
    assert (region.tolist(), following) == ([7, 8, 8], 9)


def test_a_region_that_shares_little_is_a_new_one():
    region, _ = keep_numbers(np.zeros(10, np.int64), np.array([0, 0, *range(1, 9)]), 9)
    assert region.tolist() == [9] * 10


def test_a_name_is_where_a_track_is():
    ring = np.array([[0, 1], [1, 0], [0, -1], [-1, 0], [9, 9]])
    found = middles(np.array([3, 3, 3, 3, 5]), ring)
    assert found[5] == (9, 9)
    assert [*found[3]] in ring.tolist()
