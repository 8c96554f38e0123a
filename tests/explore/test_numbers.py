"""Moments, effects and summaries, against numpy and simulation."""

import numpy as np
import pytest

from audioae.explore.numbers import SUMMARY, Moments, effect, summary


def test_moments_of_the_others_are_those_of_numpy():
    values = np.random.default_rng(0).normal(20_000, 3, 1_000).astype(np.float32)  # days since 1970
    values[::7] = np.nan
    chosen = np.zeros(1_000, bool)
    chosen[100:300] = True
    got = Moments.of(values).without(Moments.of(values[chosen]))
    rest = values[~chosen & ~np.isnan(values)].astype(np.float64)
    assert got.n == len(rest)
    assert got.mean == pytest.approx(rest.mean(), rel=1e-9)
    assert got.squares == pytest.approx(((rest - rest.mean()) ** 2).sum(), rel=1e-5)


def test_the_effect_is_cohens_d():
    random = np.random.default_rng(1)
    a, b = random.normal(1, 2, 80), random.normal(0, 2, 300)
    got = effect(Moments.of(a), Moments.of(b))
    pooled = np.sqrt((79 * a.var(ddof=1) + 299 * b.var(ddof=1)) / 378)
    assert got is not None
    assert got.d == pytest.approx((a.mean() - b.mean()) / pooled)
    assert got.low < got.d < got.high


def test_the_interval_holds_the_true_effect_in_95_percent_of_samples():
    random, held = np.random.default_rng(2), 0
    for _ in range(2_000):
        got = effect(Moments.of(random.normal(0.5, 1, 40)), Moments.of(random.normal(0, 1, 400)))
        held += got is not None and got.low <= 0.5 <= got.high
    assert 0.935 < held / 2_000 < 0.965


@pytest.mark.parametrize(
    ("selected", "others"),
    [
        ([1.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0], [5.0]),
        ([], [1.0, 2.0]),
        ([3.0, 3.0], [3.0, 3.0, 3.0]),
        ([np.nan] * 5, [1, 2]),
    ],
)
def test_too_few_or_equal_values_have_no_effect(selected: list[float], others: list[float]):
    assert effect(Moments.of(np.array(selected, float)), Moments.of(np.array(others, float))) is None


def test_large_equal_values_have_no_effect():
    values = np.full(1_000, 20_481.3, np.float32)
    assert effect(Moments.of(values[:100]), Moments.of(values).without(Moments.of(values[:100]))) is None


def test_a_summary_leaves_out_what_is_unknown():
    got = dict(zip(SUMMARY, summary(np.array([np.nan, 4, 1, 3, 2], np.float32)).tolist(), strict=True))
    assert got == pytest.approx(
        {"n": 4, "mean": 2.5, "squares": 5, "min": 1, "p1": 1.03, "p50": 2.5, "p99": 3.97, "max": 4}
    )
    assert np.isnan(summary(np.full(3, np.nan))[3:]).all()
