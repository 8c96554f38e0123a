"""Rules: each is broken by its own fault alone, and limits follow the catalog within their bounds."""

import numpy as np
import pytest

from audioae.screening.corrupt.rules import MIN_LABEL, RULES, broken_rules, derive, rule_excess, rule_limits
from tests.screening.corrupt.made import evidence


def apply_rules(made: dict[str, np.ndarray], labels: list[str] | None = None):
    n = len(made["peak"])
    columns = derive(made, np.zeros(n, bool))
    limits = rule_limits(columns, labels or [""] * n, 99.5)
    return columns, limits, rule_excess(columns, limits)


def test_a_clean_catalog_breaks_no_rule():
    assert not (apply_rules(evidence())[2] > 0).any()


@pytest.mark.parametrize(
    ("rule", "column", "value"),
    [
        ("flat tops", "flat_fraction", 0.04),
        ("clipping", "clipped_fraction", 0.03),
        ("sudden silence", "fall_db", 72),
        ("digital silence", "zero_run_s", 2.0),
        ("silent end", "tail_s", 6.0),
        ("lost audio", "missing_s", 0.3),
        ("damage", "resyncs", 1),
        ("cut off", "claimed_s", 34.0),
        ("offset", "dc_offset", 0.05),
        ("dead channel", "channel_difference_db", 60),
        ("opposed channels", "correlation", -0.99),
        ("muffled", "bandwidth_hz", 2500),
        ("low rate", "sample_rate", 8000),
        ("hum", "hum_line_db", 25),
        ("clicks", "click_db", 45),
        ("bursts", "burst_db", 70),
        ("stutter", "repeat", 0.9),
        ("repeated buffer", "loop", 0.95),
        ("wrong samples", "spikes_db", 50),
        ("burst of noise", "plateau_db", 40),
        ("gap", "gap_db", 45),
        ("few levels", "distinct_fraction", 0.03),
    ],
)
def test_each_rule_is_broken_by_its_fault_alone(rule: str, column: str, value: float):
    made = evidence()
    made[column][7] = value
    columns, limits, excess = apply_rules(made)
    assert np.argwhere(excess > 0).tolist() == [[7, [r.name for r in RULES].index(rule)]]
    (broken,) = broken_rules(excess, 7, columns, limits)
    assert broken["rule"] == rule
    assert "(normal here: at " in str(broken["why"])


def test_a_steep_edge_below_what_the_bit_rate_carries_is_lost_treble():
    made = evidence()
    for row, (edge_db, bit_rate) in enumerate([(60, 320_000), (60, 96_000), (10, 320_000)]):
        made["edge_db"][row], made["bit_rate"][row], made["cutoff_hz"][row] = edge_db, bit_rate, 12_000
    _, _, excess = apply_rules(made)
    lost = [r.name for r in RULES].index("lost treble")
    assert np.flatnonzero(excess[:, lost] > 0).tolist() == [0]


def test_missing_values_break_no_rule():
    made = evidence()
    for name in ("correlation", "channel_difference_db", "claimed_s", "hum_line_db"):
        made[name][:] = np.nan
    assert not (apply_rules(made)[2] > 0).any()


def test_limits_follow_the_catalog_between_their_bounds():
    made = evidence()
    made["hum_line_db"] += 15  # old records
    made["channel_difference_db"] += 45  # beyond the loosest limit
    columns, limits, excess = apply_rules(made)
    hum, dead = ([r.name for r in RULES].index(name) for name in ("hum", "dead channel"))
    assert 19 < limits["hum"][0] < 22
    assert not (excess[:, hum] > 0).any()
    assert (excess[:, dead] > 0).all()
    assert columns["hum_line_db"].max() > RULES[hum].strictest


def test_a_single_bad_track_of_a_small_catalog_does_not_set_its_own_limit():
    made = evidence(24)
    made["fall_db"][5] = 75
    excess = apply_rules(made)[2]
    assert np.flatnonzero(excess.max(axis=1) > 0).tolist() == [5]


def test_a_large_label_has_its_own_limits():
    for n_noisy in (MIN_LABEL, MIN_LABEL - 1):
        made = evidence(2000)
        made["hum_line_db"][:n_noisy] = np.random.default_rng(1).normal(20, 1, n_noisy)
        _, limits, _ = apply_rules(made, ["field"] * n_noisy + [""] * (2000 - n_noisy))
        assert (limits["hum"][0] < limits["hum"][-1]) == (n_noisy == MIN_LABEL)  # its own spread is small


def test_tuning_is_a_point_in_a_circle_and_unknown_where_nothing_was_measured():
    """50 cents sharp is 50 cents flat. Noise, without a tuning, is in the middle."""
    made = evidence(4)
    made["tuning_cents"], made["tuning_strength"] = np.array([0, 50, -25, np.nan]), np.array([0.5, 0.4, 0.3, 0])
    columns = derive(made, np.zeros(4, bool))
    assert columns["tuning_cos"] == pytest.approx([0.5, -0.4, 0, 0], abs=1e-9)
    assert columns["tuning_sin"] == pytest.approx([0, 0, -0.3, 0], abs=1e-9)
    made["tuning_strength"][:] = np.nan
    assert np.isnan(derive(made, np.zeros(4, bool))["tuning_cos"]).all()
