"""Metrics and their intervals against scipy, sklearn and a plain bootstrap."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from audioae.errors import EvaluationError
from audioae.metrics.metric import N_RESAMPLES, Metric, MetricSet, difference, explained, mean_metric, ratio, skewness

pytestmark = pytest.mark.filterwarnings("error")


def powers(values: np.ndarray) -> np.ndarray:
    return np.stack([values**power for power in range(4)], axis=1)


def squares(values: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.stack([(predicted - values) ** 2, (values - values.mean()) ** 2], axis=1)


def coverage(samples: list[np.ndarray], groups: np.ndarray) -> tuple[float, float]:
    """Share of samples whose interval of the mean contains the true mean, 0, and the mean width of the intervals."""
    intervals = np.array([mean_metric("mean", values, groups).interval for values in samples])
    return float(((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)).mean()), float(np.ptp(intervals, axis=1).mean())


def test_ratio_is_a_mean_and_nan_without_any_count():
    assert ratio(np.array([3.0, 4.0])) == 0.75
    assert ratio(np.array([[3.0, 4.0], [0.0, 2.0]])).tolist() == [0.75, 0.0]
    assert np.isnan(ratio(np.array([0.0, 0.0])))


def test_explained_equals_r2_of_sklearn():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(50)
    for predicted in (values + 0.3 * rng.standard_normal(50), rng.standard_normal(50)):
        assert explained(squares(values, predicted).sum(axis=0)) == pytest.approx(r2_score(values, predicted))


def test_skewness_equals_scipy():
    values = np.random.default_rng(1).poisson(3, 80).astype(float)
    assert skewness(powers(values).sum(axis=0)) == pytest.approx(stats.skew(values))
    assert skewness(powers(-values).sum(axis=0)) == pytest.approx(-stats.skew(values))
    assert skewness(powers(np.full(7, 3.0)).sum(axis=0)) == 0


def test_nan_excludes_a_track_from_the_mean():
    metric = mean_metric("P@1", np.array([1.0, np.nan, 0.0, 1.0, np.nan]), np.arange(5), higher_is_better=None)
    assert (metric.value, metric.n, metric.higher_is_better) == (pytest.approx(2 / 3), 3, None)
    assert metric.columns.tolist() == [[1, 1], [0, 0], [0, 1], [1, 1], [0, 0]]


def test_interval_equals_that_of_a_plain_bootstrap():
    values = np.random.default_rng(2).exponential(size=200)
    metric = mean_metric("mean", values, np.arange(200))
    rows = np.random.default_rng(3).integers(200, size=(4000, 200))
    plain = np.percentile(values[rows].mean(axis=1), [2.5, 97.5])
    assert metric.resamples.shape == (N_RESAMPLES,)
    assert metric.interval == pytest.approx(plain, abs=0.02)
    assert metric.interval == mean_metric("mean", values, np.arange(200)).interval, "deterministic"


def test_intervals_of_r2_and_skewness_contain_their_values():
    values = np.random.default_rng(4).exponential(size=150)
    noisy = values + 0.5 * np.random.default_rng(5).standard_normal(150)
    for columns, reduce in ((squares(values, noisy), explained), (powers(values), skewness)):
        metric = Metric("x", columns, reduce, np.arange(150))
        low, high = metric.interval
        assert low < metric.value < high


def test_interval_of_independent_tracks_has_its_nominal_coverage():
    rng = np.random.default_rng(6)
    share, _ = coverage([rng.standard_normal(60) for _ in range(200)], np.arange(60))
    assert 0.90 <= share <= 0.98


def test_interval_of_copies_needs_resampling_by_artist():
    """20 artists with 4 copies each: 80 tracks, but only 20 independent ones."""
    rng = np.random.default_rng(7)
    samples = [np.repeat(rng.standard_normal(20), 4) for _ in range(200)]
    by_artist, wide = coverage(samples, np.repeat(np.arange(20), 4))
    by_track, narrow = coverage(samples, np.arange(80))
    assert by_artist >= 0.88
    assert by_track <= 0.80
    assert wide / narrow == pytest.approx(2.0, rel=0.1)  # the root of four copies


def test_a_single_group_is_resampled_by_track():
    values = np.random.default_rng(8).standard_normal(50)
    one = mean_metric("mean", values, np.zeros(50, int))
    assert one.interval == mean_metric("mean", values, np.arange(50)).interval
    excluded = np.r_[values, np.full(20, np.nan)]
    only = mean_metric("mean", excluded, np.r_[np.zeros(50, int), np.arange(1, 21)])
    assert np.ptp(only.interval) == pytest.approx(np.ptp(one.interval), rel=0.15)


def test_resamples_without_scored_tracks_are_ignored():
    values = np.full(40, np.nan)
    values[:2] = 0.0, 1.0
    metric = mean_metric("rare", values, np.arange(40))
    assert np.isnan(metric.resamples).any()
    assert metric.interval == (0.0, 1.0)


def test_identical_metrics_have_a_difference_of_exactly_zero():
    values = np.random.default_rng(9).standard_normal(40)
    metric, same = (mean_metric("mAP", values.copy(), np.arange(40) // 4) for _ in range(2))
    gap = difference(metric, same)
    assert (gap.value, gap.interval, gap.real) == (0.0, (0.0, 0.0), False)


def test_difference_is_paired():
    """A constant gap under large common noise has no uncertainty if paired, and a large one if not."""
    values = 10 * np.random.default_rng(10).standard_normal(60)
    better, worse = (mean_metric("mAP", values + offset, np.arange(60)) for offset in (0.1, 0.0))
    gap = difference(better, worse)
    assert gap.value == pytest.approx(0.1)
    assert gap.interval == pytest.approx((0.1, 0.1))
    assert gap.real
    assert difference(worse, better).real
    assert np.ptp(worse.interval) > 3


def test_differences_between_noise_are_rarely_significant():
    rng = np.random.default_rng(11)
    pairs = [difference(*(mean_metric("x", rng.standard_normal(50), np.arange(50)) for _ in "ab")) for _ in range(100)]
    assert sum(pair.real for pair in pairs) <= 12


def test_refuses_to_compare_metrics_over_different_tracks():
    few, many = (mean_metric("mAP", np.arange(n) % 2.0, np.arange(n)) for n in (10, 12))
    with pytest.raises(EvaluationError, match=r"mAP \(12 tracks\) and mAP \(10 tracks\) cover different tracks"):
        difference(many, few)
    with pytest.raises(EvaluationError, match="cover different tracks"):
        difference(few, mean_metric("mAP", np.arange(10) % 2.0, np.arange(10) // 2))


def test_metric_sets_can_be_added():
    metric = mean_metric("mAP", np.ones(3), np.arange(3))
    both = MetricSet((metric,), ("no artists",)) + MetricSet(omitted=("no albums",))
    assert both == MetricSet((metric,), ("no artists", "no albums"))
