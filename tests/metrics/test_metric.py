"""Metrics and their intervals against scipy and sklearn; `test_coverage` simulates whether the intervals hold."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from audioae.errors import EvaluationError
from audioae.metrics.intervals import SHARE
from audioae.metrics.metric import Metric, MetricSet, difference, explained, mean_metric, ratio, skewness

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


def test_interval_of_independent_tracks_is_that_of_students_t():
    values = np.random.default_rng(2).random(200)
    wanted = stats.t.interval(0.95, 199, values.mean(), stats.sem(values))
    assert mean_metric("mean", values, np.arange(200)).interval == pytest.approx(wanted, rel=1e-6)


def test_interval_of_artists_with_equally_many_tracks_is_that_of_their_means():
    values = np.random.default_rng(3).random((7, 4))
    metric = mean_metric("mean", values.ravel(), np.repeat(np.arange(7), 4))
    wanted = stats.t.interval(0.95, 6, values.mean(), stats.sem(values.mean(axis=1)))
    assert metric.interval == pytest.approx(wanted, rel=1e-6)


def test_intervals_of_r2_and_skewness_contain_their_values():
    values = np.random.default_rng(4).exponential(size=150)
    noisy = values + 0.5 * np.random.default_rng(5).standard_normal(150)
    for columns, reduce in ((squares(values, noisy), explained), (powers(values), skewness)):
        metric = Metric("x", columns, reduce, np.arange(150))
        assert metric.interval is not None
        low, high = metric.interval
        assert low < metric.value < high


def test_interval_of_independent_tracks_has_its_nominal_coverage():
    rng = np.random.default_rng(6)
    share, _ = coverage([rng.standard_normal(60) for _ in range(200)], np.arange(60))
    assert 0.90 <= share <= 0.98


def test_interval_of_copies_needs_their_artists():
    """20 artists with 4 copies each: 80 tracks, but only 20 independent ones."""
    rng = np.random.default_rng(7)
    samples = [np.repeat(rng.standard_normal(20), 4) for _ in range(200)]
    by_artist, wide = coverage(samples, np.repeat(np.arange(20), 4))
    by_track, narrow = coverage(samples, np.arange(80))
    assert by_artist >= 0.92
    assert by_track <= 0.80
    assert wide / narrow == pytest.approx(2.0, rel=0.1)  # the root of four copies


def test_of_a_single_artist_the_interval_is_about_its_tracks_and_says_so():
    values = np.random.default_rng(8).standard_normal(50)
    one = mean_metric("mean", values, np.zeros(50, int))
    assert one.interval == mean_metric("mean", values, np.arange(50)).interval
    assert one.note == "all 50 tracks are of one artist: the interval is about its tracks, not about others"
    excluded = np.r_[values, np.full(20, np.nan)]
    only = mean_metric("mean", excluded, np.r_[np.zeros(50, int), np.arange(1, 21)])
    assert (only.interval, only.note) == (one.interval, one.note)
    assert mean_metric("mean", values, np.arange(50)).note is None


@pytest.mark.parametrize(
    ("groups", "note"),
    [
        (np.arange(60) // 15, "too few artists to tell: 4, an interval and a verdict need at least 5"),
        (np.array([0, 1, 1]), "too few artists to tell: 2, an interval and a verdict need at least 5"),
        (np.arange(4), "too few tracks to tell: 4, an interval and a verdict need at least 5"),
        (np.zeros(3, int), "too few tracks to tell: 3, an interval and a verdict need at least 5"),
    ],
)
def test_with_too_few_artists_there_is_no_interval_and_no_verdict(groups, note):
    rng = np.random.default_rng(12)
    metric, worse = (mean_metric("mAP", values, groups) for values in (rng.random(len(groups)), np.zeros(len(groups))))
    assert (metric.interval, metric.note) == (None, note)
    gap = difference(metric, worse)
    assert (gap.value, gap.interval, gap.real) == (metric.value, None, False)


def test_other_groups_have_their_name():
    metric = mean_metric("nDCG", np.ones(6), np.arange(6) // 2, unit="listener")
    assert metric.note == "too few listeners to tell: 3, an interval and a verdict need at least 5"


def test_a_value_that_needs_one_artist_has_no_interval():
    columns = np.zeros((12, 2))
    columns[:, 0], columns[:2, 1] = 1, 1  # all tracks that R2 is relative to are by the first artist
    metric = Metric("R2", columns, explained, np.arange(12) // 2)
    assert metric.interval is None
    assert metric.note == "too few artists to tell: without one of 6, the value cannot be computed"


@pytest.mark.parametrize(("n", "low"), [(10, 0.66), (32, 0.88), (400, 0.990)])
def test_if_all_tracks_are_right_the_share_may_still_be_lower(n, low):
    right, wrong = (mean_metric("kNN", np.full(n, value), np.arange(n), limits=SHARE) for value in (1.0, 0.0))
    assert right.interval == pytest.approx((low, 1), abs=0.005)
    assert wrong.interval == pytest.approx((0, 1 - low), abs=0.005)


def test_intervals_stay_within_the_limits():
    groups = np.repeat(np.arange(6), 5)
    values = np.where(np.arange(30) == 7, 0.0, 1.0)
    for limits, cosines in ((SHARE, values), ((-np.inf, 1.0), 1 - (1 - values) / 1000)):
        ends = mean_metric("x", cosines, groups, limits=limits).interval
        assert ends is not None
        assert ends[0] < cosines.mean() < ends[1] <= 1
    free = mean_metric("x", values, groups).interval
    assert free is not None
    assert free[1] > 1
    gap = difference(mean_metric("x", values, groups, limits=SHARE), mean_metric("x", 0 * values, groups, limits=SHARE))
    assert gap.interval is not None
    assert gap.interval[1] == 1


def test_artists_without_scored_tracks_do_not_count():
    values = np.full(40, np.nan)
    values[:8] = np.arange(8) % 2
    rare = mean_metric("rare", values, np.arange(40))
    assert rare.interval == mean_metric("rare", values[:8], np.arange(8)).interval
    values[4:] = np.nan
    assert mean_metric("rare", values, np.arange(40)).interval is None


def test_a_metric_without_scored_tracks_has_no_interval():
    columns = np.zeros((9, 2))
    with np.errstate(invalid="ignore"):
        metric = Metric("none", columns, ratio, np.arange(9))
        assert (metric.n, metric.interval) == (0, None)
    assert metric.note is not None


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
    assert worse.interval is not None
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
