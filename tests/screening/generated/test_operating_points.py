"""What is caught at a false-positive rate: values, intervals that cover, and no answer where there is none."""

import numpy as np
import pytest
import scipy.stats

from audioae.screening.generated.operating_points import RATES, operating_points, true_positive_rate


def test_the_limit_is_what_the_rate_of_real_tracks_exceeds():
    real = np.random.default_rng(0).permutation(1000.0 * np.arange(1000) / 999)
    copies = np.array([980.0, 989.0, 992.0, 2000.0])
    point = true_positive_rate(copies, np.arange(4), real, 0.01)
    assert (real > np.sort(real)[-11]).sum() == 10
    assert point is not None
    assert point["tpr"] == 0.5
    assert 0 < point["low"] < 0.5 < point["high"] < 1


@pytest.mark.parametrize(("n", "answered"), [(99, []), (100, [0.01]), (999, [0.01]), (1000, [0.01, 0.001])])
def test_too_few_real_tracks_are_no_answer(n: int, answered: list[float]):
    points = operating_points(np.ones(10), np.arange(10), np.arange(float(n)))
    assert [rate for rate in RATES if points[f"{rate:g}"]] == answered


def test_without_a_bound_on_the_limit_the_interval_begins_at_0():
    for n, bounded in (
        (300, False),
        (500, True),
    ):  # of 500, one exceeds it almost always
        point = true_positive_rate(np.full(50, 1e6), np.arange(50), np.arange(float(n)), 0.01)
        assert point is not None
        assert (point["low"] > 0.9) == bounded
        assert point["tpr"] == 1.0


def test_excerpts_of_one_track_count_once():
    copies, real = np.linspace(0, 1000, 200), np.arange(1000.0)
    wide = true_positive_rate(copies, np.arange(200) % 10, real, 0.01)
    narrow = true_positive_rate(copies, np.arange(200), real, 0.01)
    assert wide is not None
    assert narrow is not None
    assert wide["tpr"] == narrow["tpr"]
    assert wide["high"] - wide["low"] > 2 * (narrow["high"] - narrow["low"])


def test_no_answer_without_a_left_out_family():
    assert true_positive_rate(np.full(3, np.nan), np.arange(3), np.arange(1000.0), 0.01) is None
    assert true_positive_rate(np.empty(0), np.empty(0, int), np.arange(1000.0), 0.01) is None


def test_intervals_cover_the_true_rate():
    """Normal log odds, copies 2.5 above real ones: at 1 % the true TPR is .57."""
    rng = np.random.default_rng(0)
    true = scipy.stats.norm.sf(scipy.stats.norm.isf(0.01) - 2.5)
    points = [
        true_positive_rate(2.5 + rng.standard_normal(24), np.arange(24), rng.standard_normal(500), 0.01)
        for _ in range(300)
    ]
    covered = np.mean([point["low"] <= true <= point["high"] for point in points if point])
    assert len([point for point in points if point]) == 300
    assert covered >= 0.95
    assert np.mean([point["tpr"] for point in points if point]) == pytest.approx(true, abs=0.05)
