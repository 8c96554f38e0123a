"""Intervals of many cells at once; `test_coverage` simulates whether they hold."""

import numpy as np
import pytest
from scipy import stats

from audioae.metrics.intervals import SHARE, group_means, interval, spread
from audioae.metrics.metric import mean_metric

pytestmark = pytest.mark.filterwarnings("error")


def test_degrees_of_freedom_are_those_of_bell_and_mccaffrey():
    """Written out with matrices: two times the squared mean over the variance of the estimated variance."""
    sizes = np.array([20, 7, 5, 5, 1])
    n = sizes.sum()
    residuals = (np.eye(5) - np.outer(sizes / n, np.ones(5))) / (n - sizes)[:, None]  # of group sums, in the jackknife
    covariance = residuals @ np.diag(sizes) @ residuals.T
    freedom = np.trace(covariance) ** 2 / np.trace(covariance @ covariance)
    assert spread(sizes, np.zeros(5)).quantile == pytest.approx(stats.t.ppf(0.975, freedom))
    assert spread(np.full(9, 4), np.zeros(9)).quantile == pytest.approx(stats.t.ppf(0.975, 8))


def test_few_groups_that_cause_the_error_leave_fewer_degrees_of_freedom():
    """The variance of an estimated variance grows with the kurtosis of what it is estimated from."""
    for changes, freedom in ((np.r_[np.ones(2), np.zeros(18)], 2 * 20 / (10 - 1)), ((-1.0) ** np.arange(20), 19)):
        found = spread(np.ones(20), changes)
        assert found.quantile == pytest.approx(stats.t.ppf(0.975, 19))
        assert found.tailed_quantile == pytest.approx(stats.t.ppf(0.975, freedom))


def test_many_tracks_of_one_artist_count_as_few():
    assert spread(np.full(60, 1), np.zeros(60)).effective.tolist() == [60]
    assert spread(np.full(5, 1000), np.zeros(5)).effective == pytest.approx(5 * 1000 / (1 + 999 / 5))


def test_error_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).standard_normal(30)
    left_out = (values.sum() - values) / 29
    assert spread(np.ones(30), left_out - values.mean()).error == pytest.approx(stats.sem(values))


def test_interval_of_independent_hits_is_wilsons():
    """With the quantile of t, and an effective number of 59: the error is estimated with n - 1."""
    hits = (np.arange(60) < 45).astype(float)
    low, high = interval(0.75, spread(np.ones(60), (0.75 - hits) / 59), SHARE)
    t = stats.t.ppf(0.975, 59)
    for end in (low[0], high[0]):
        assert (end - 0.75) ** 2 == pytest.approx(t**2 * end * (1 - end) / 59)


def test_cells_have_the_intervals_of_single_metrics():
    rng = np.random.default_rng(4)
    values, cells, artists = rng.random(300), np.arange(300) % 3, rng.integers(12, size=300)
    values[::17] = np.nan
    means = group_means(values, cells, artists, 4, SHARE)
    for cell in range(3):
        metric = mean_metric("x", np.where(cells == cell, values, np.nan), artists, limits=SHARE)
        assert (means.n[cell], means.mean[cell]) == (metric.n, pytest.approx(metric.value))
        assert (means.low[cell], means.high[cell]) == pytest.approx(metric.interval)
    assert means.n[3] == 0
    assert np.isnan([means.mean[3], means.low[3]]).all()


def test_a_cell_of_one_artist_is_about_its_tracks():
    values = np.random.default_rng(5).random(40)
    artists = np.r_[np.zeros(20, int), np.arange(20)]
    means = group_means(values, np.repeat([0, 1], 20), artists, 2)
    alone = group_means(values[:20], np.zeros(20, int), np.arange(20), 1)
    assert (means.low[0], means.high[0]) == (alone.low[0], alone.high[0])


def test_artists_with_many_tracks_widen_the_interval():
    rng = np.random.default_rng(6)
    artists = np.repeat(np.arange(60), 5)
    values = (rng.random(60)[artists] + rng.random(300)) / 2
    by_artist, by_track = (group_means(values, np.zeros(300, int), one, 1, SHARE) for one in (artists, np.arange(300)))
    assert by_artist.high - by_artist.low > 1.5 * (by_track.high - by_track.low)


def test_cells_without_values_or_with_few_artists_have_no_interval():
    means = group_means(np.array([0.5, np.nan, 1]), np.array([0, 1, -1]), np.arange(3), 3)
    assert means.n.tolist() == [1, 0, 0]
    assert means.mean[0] == 0.5
    assert np.isnan([means.mean[1], means.mean[2], means.low[0]]).all()
    few = group_means(np.arange(8.0), np.zeros(8, int), np.arange(8) // 2, 1)
    assert few.mean == 3.5
    assert np.isnan([few.low, few.high]).all()
    assert len(group_means(np.empty(0), np.empty(0, int), np.empty(0, int), 0).mean) == 0
