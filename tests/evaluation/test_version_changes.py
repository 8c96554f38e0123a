"""Two sets of embeddings: against brute force, and on changes whose effect is known."""

import numpy as np
import pytest

from audioae.evaluation import version_changes as changes
from audioae.metrics.intervals import SHARE, group_means


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def made(n: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((n, dim)))


def rotation(dim: int, seed: int = 5) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))[0]


def nearest(vectors: np.ndarray, k: int = 10, queries: np.ndarray | None = None, block: int = 37) -> changes.Nearest:
    own = np.arange(len(vectors)) if queries is None else queries
    rows = np.arange(len(vectors))
    blocks = ((vectors[i : i + block], rows[i : i + block]) for i in range(0, len(vectors), block))
    return changes.nearest_in_blocks(blocks, vectors[own], own, k)


def brute_force(a: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    shares = []
    for i in range(len(a)):
        lists = []
        for vectors in (a, b):
            scores = vectors.astype(np.float64) @ vectors[i].astype(np.float64)
            scores[i] = -np.inf
            lists.append(set(np.argsort(-scores)[:k].tolist()))
        shares.append(len(lists[0] & lists[1]) / k)
    return np.array(shares)


def test_neighbors_in_blocks_are_those_of_a_sort():
    vectors = made(120)
    found = nearest(vectors)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    assert np.array_equal(found.lists, np.argsort(-scores, axis=1)[:, :10])
    assert found.scores[:, 0] == pytest.approx(scores.max(axis=1), abs=1e-6)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_overlap_is_that_of_brute_force(k: int):
    a = made(150)
    b = unit(a + 0.35 * made(150, seed=1))
    shares = changes.overlap(nearest(a, k), nearest(b, k))
    assert shares == pytest.approx(brute_force(a, b, k))
    assert 0.1 < shares.mean() < 0.9


def test_a_rotation_changes_nothing():
    a = made(300, 128)
    a[200:260] = a[:60]  # ties: the same vector twice, and three times
    a[260:290] = a[:30]
    b = unit(a @ rotation(128))
    assert changes.overlap(nearest(a), nearest(b)).min() == 1
    alignment = changes.align(a, b)
    assert alignment.cosine == pytest.approx(1, abs=1e-5)
    assert alignment.residual == pytest.approx(0, abs=1e-5)
    assert alignment.chance < 0.9


def test_unrelated_sets_keep_what_chance_keeps():
    n, k = 800, 10
    a, b = made(n, 32), made(n, 32, seed=9)
    shares = changes.overlap(nearest(a, k), nearest(b, k))
    assert shares.mean() == pytest.approx(k / (n - 1), abs=0.005)
    alignment = changes.align(a, b)
    assert alignment.mean == pytest.approx(alignment.chance, abs=0.03)


def test_one_shuffled_artist_changes_its_region_and_no_other():
    rng, regions = np.random.default_rng(2), np.repeat(np.arange(5), 40)
    centers = np.eye(5, 16) * 10
    a = unit(centers[regions] + rng.standard_normal((200, 16)))
    artist = np.flatnonzero(regions == 3)[:20]
    b = a.copy()
    b[artist] = a[np.roll(artist, 7)]
    shares = changes.overlap(nearest(a), nearest(b))
    means = group_means(shares, regions, np.arange(200), 5, SHARE)
    assert means.mean[[0, 1, 2, 4]].tolist() == [1, 1, 1, 1]
    assert means.mean[3] < 0.7
    assert means.high[3] < 0.8


def test_ties_at_the_last_place_are_no_changes():
    scores = np.array([[0.9, 0.8, 0.8, 0.1]])
    one = changes.Nearest(scores, np.array([[1, 2, 3, 4]]), 2)
    other = changes.Nearest(scores, np.array([[1, 3, 2, 4]]), 2)
    assert changes.overlap(one, other).tolist() == [1]


def test_a_track_with_many_twins_loses_none_of_its_list():
    vectors = np.repeat(made(3), 40, axis=0)
    found = nearest(vectors)
    assert found.lists.shape == (120, 10)
    assert (found.lists >= 0).all()
    assert (found.lists != np.arange(120)[:, None]).all()


def test_fewer_tracks_than_neighbors():
    found = nearest(made(4), k=10)
    assert (found.lists >= 0).sum(axis=1).tolist() == [3, 3, 3, 3]
    assert changes.overlap(found, nearest(made(4, seed=3), k=10)).tolist() == [1, 1, 1, 1]


def test_share_of_the_own_group():
    lists = np.array([[1, 2], [0, -1], [0, 1]])
    shares = changes.same_group_share(lists, np.array([0, 1, 2]), np.array([0, 0, -1]))
    assert shares[:2].tolist() == [0.5, 1.0]
    assert np.isnan(shares[2])


def test_occurrence_counts_lists():
    assert changes.occurrence(np.array([[1, 2], [2, -1]]), 4).tolist() == [0, 1, 2, 0]
