"""Predicted CF factors: accurate where the features determine them, and an honest error where they do not."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from audioae.errors import SearchError
from audioae.recommend.cf_regression import FactorRegression, factorize
from tests.recommend.made import styles


def test_predicts_factors_that_follow_from_the_features():
    vectors, style = styles(n_styles=8, n_each=30)
    true = np.random.default_rng(1).standard_normal((8, 5))[style] + 2
    known = np.arange(len(style)) % 3 > 0
    regression = FactorRegression(vectors[known], true[known], np.arange(known.sum()))
    predicted = regression.predict(vectors[~known])
    assert predicted.shape == ((~known).sum(), 5)
    error = np.square(predicted - true[~known]).sum() / np.square(true[~known] - true[known].mean(axis=0)).sum()
    assert error < 0.1
    result = regression.cross_validation
    assert result.r2 > 0.9
    assert result.cosine > result.cosine_of_mean + 0.05
    assert result.n == known.sum()


def test_reports_an_r2_of_zero_for_unrelated_factors():
    vectors, _ = styles(n_styles=8, n_each=30)
    noise = np.random.default_rng(2).standard_normal((240, 5))
    regression = FactorRegression(vectors, noise, np.arange(240))
    assert -0.3 < regression.cross_validation.r2 < 0.05
    assert np.abs(regression.predict(vectors)).max() < np.abs(noise).max()


def test_holds_out_the_tracks_of_an_artist_together():
    """Factors that depend on the artist alone are easy to predict only if other tracks of the artist are known."""
    vectors, _ = styles(n_styles=4, n_each=50)
    artist = np.arange(200) // 4
    moved = vectors + 0.5 * np.random.default_rng(3).standard_normal((50, 16)).astype(np.float32)[artist]
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    true = np.random.default_rng(4).standard_normal((50, 3))[artist]
    by_track = FactorRegression(moved, true, np.arange(200)).cross_validation.r2
    by_artist = FactorRegression(moved, true, artist).cross_validation.r2
    assert by_track > 0.5
    assert by_artist < 0.1


def test_more_tracks_than_landmarks_and_nothing_to_predict():
    vectors, style = styles(n_styles=6, n_each=120)
    regression = FactorRegression(vectors, np.eye(6)[style], np.arange(720))
    assert regression.cross_validation.r2 > 0.8
    assert regression.predict(vectors[:0]).shape == (0, 6)


@pytest.mark.parametrize(
    ("n", "groups", "vectors", "message"),
    [
        (5, np.arange(5), np.ones((5, 2)), "got 5 tracks by 5 artists to learn from; wanted at least 10"),
        (20, np.zeros(20, int), np.ones((20, 2)), "got 20 tracks by 1 artists"),
        (20, np.arange(20), np.full((20, 2), np.nan), "finite numbers"),
        (20, np.arange(20), np.ones((19, 2)), "got shape"),
    ],
)
def test_refuses_too_few_tracks_and_bad_factors(n, groups, vectors, message):
    with pytest.raises(SearchError, match=message):
        FactorRegression(np.eye(n, 32, dtype=np.float32), vectors, groups)


def test_product_of_the_factors_is_the_matrix():
    rng = np.random.default_rng(0)
    matrix = (rng.random((30, 3)) @ rng.random((3, 50))).astype(np.float32)
    listeners, tracks = factorize(csr_array(matrix), 3)
    assert np.allclose(listeners @ tracks.T, matrix, atol=1e-3)
    assert factorize(csr_array(matrix), 99)[1].shape == (50, 30)
