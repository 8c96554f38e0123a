"""Lift, smoothed log-odds and z."""

import numpy as np
import pytest

from audioae.explore.shares import PRIOR, compare


def test_lift_and_log_odds_as_defined():
    got = compare(np.array([30, 0]), 100, np.array([200, 50]), 1_000)
    assert got.lift.tolist() == pytest.approx([1.5, 0.0])
    prior = PRIOR * 200.5 / 1_001
    inside, outside = 30 + prior, 170 + prior
    wanted = np.log(inside / (100 + PRIOR - inside)) - np.log(outside / (900 + PRIOR - outside))
    assert got.log_odds[0] == pytest.approx(wanted)
    assert got.z[0] == pytest.approx(
        wanted / np.sqrt(1 / inside + 1 / (100 + PRIOR - inside) + 1 / outside + 1 / (900 + PRIOR - outside))
    )
    assert got.log_odds[1] < 0


def test_a_rare_value_has_the_largest_lift_but_not_the_largest_z():
    got = compare(np.array([60, 1]), 100, np.array([1_000, 1]), 10_000)
    assert got.lift[1] > got.lift[0]
    assert got.z[0] > 2 > got.z[1]


def test_by_chance_z_is_above_2_in_few_cases():
    random = np.random.default_rng(3)
    counts = random.multinomial(20_000, np.ones(40) / 40)
    values = np.repeat(np.arange(40), counts)
    far = [
        compare(np.bincount(random.choice(values, 500, replace=False), minlength=40), 500, counts, len(values)).z
        for _ in range(100)
    ]
    assert 0.01 < np.mean(np.abs(far) > 1.96) < 0.06


@pytest.mark.filterwarnings("error")
def test_a_value_that_all_tracks_have():
    got = compare(np.array([10]), 10, np.array([1_000]), 1_000)
    assert got.lift[0] == 1.0
    assert abs(got.z[0]) < 1
    whole = compare(np.array([700, 300]), 1_000, np.array([700, 300]), 1_000)
    assert np.isfinite(whole.z).all()
    assert np.abs(whole.z).max() < 0.1
