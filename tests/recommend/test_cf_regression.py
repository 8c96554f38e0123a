"""Collaborative vectors from sound: what can be learned is learned, what cannot is said to be not."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from audioae.errors import SearchError
from audioae.recommend.cf_regression import SoundRegression, factorize
from tests.playlists.made import styles


def test_vectors_that_follow_from_sound_are_estimated_for_unknown_tracks():
    vectors, style = styles(n_styles=8, n_each=30)
    true = np.random.default_rng(1).standard_normal((8, 5))[style] + 2
    known = np.arange(len(style)) % 3 > 0
    regression = SoundRegression(vectors[known], true[known], np.arange(known.sum()))
    estimated = regression.estimate(vectors[~known])
    assert estimated.shape == ((~known).sum(), 5)
    error = np.square(estimated - true[~known]).sum() / np.square(true[~known] - true[known].mean(axis=0)).sum()
    assert error < 0.1
    held_out = regression.held_out
    assert held_out.r2 > 0.9
    assert held_out.cosine > held_out.cosine_of_mean + 0.05
    assert held_out.n == known.sum()


def test_vectors_that_have_nothing_to_do_with_sound_are_not():
    vectors, _ = styles(n_styles=8, n_each=30)
    noise = np.random.default_rng(2).standard_normal((240, 5))
    regression = SoundRegression(vectors, noise, np.arange(240))
    assert -0.3 < regression.held_out.r2 < 0.05
    assert np.abs(regression.estimate(vectors)).max() < np.abs(noise).max()


def test_an_artists_tracks_are_held_out_together():
    """Vectors that are the artist's alone look easy if an artist's other tracks are known, and are not."""
    vectors, _ = styles(n_styles=4, n_each=50)
    artist = np.arange(200) // 4
    moved = vectors + 0.5 * np.random.default_rng(3).standard_normal((50, 16)).astype(np.float32)[artist]
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    true = np.random.default_rng(4).standard_normal((50, 3))[artist]
    by_track = SoundRegression(moved, true, np.arange(200)).held_out.r2
    by_artist = SoundRegression(moved, true, artist).held_out.r2
    assert by_track > 0.5
    assert by_artist < 0.1


def test_more_tracks_than_landmarks_and_none_to_estimate():
    vectors, style = styles(n_styles=6, n_each=120)
    regression = SoundRegression(vectors, np.eye(6)[style], np.arange(720))
    assert regression.held_out.r2 > 0.8
    assert regression.estimate(vectors[:0]).shape == (0, 6)


@pytest.mark.parametrize(
    ("n", "groups", "vectors", "message"),
    [
        (5, np.arange(5), np.ones((5, 2)), "vectors of 5 tracks by 5 artists; wanted at least 10"),
        (20, np.zeros(20, int), np.ones((20, 2)), "vectors of 20 tracks by 1 artists"),
        (20, np.arange(20), np.full((20, 2), np.nan), "finite numbers"),
        (20, np.arange(20), np.ones((19, 2)), "got shape"),
    ],
)
def test_too_little_to_learn_from_is_refused(n, groups, vectors, message):
    with pytest.raises(SearchError, match=message):
        SoundRegression(np.eye(n, 32, dtype=np.float32), vectors, groups)


def test_factors_give_the_matrix_back():
    rng = np.random.default_rng(0)
    matrix = (rng.random((30, 3)) @ rng.random((3, 50))).astype(np.float32)
    listeners, tracks = factorize(csr_array(matrix), 3)
    assert np.allclose(listeners @ tracks.T, matrix, atol=1e-3)
    assert factorize(csr_array(matrix), 99)[1].shape == (50, 30)
