"""What the rules and the detector decide, on evidence made by numbers."""

import numpy as np
import pytest

from audioae.audio.health import HEALTH_COLUMNS
from audioae.screening.corrupt.classifier import (
    CLEAN,
    FEATURES,
    FaultClassifier,
    judge_held_out,
    measure,
    number_groups,
    oddest_clip,
    to_scores,
)
from audioae.screening.corrupt.rules import MIN_LABEL, RULES, broken_rules, derive, rule_excess, rule_limits

N = 600


def evidence(n: int = N, seed: int = 0) -> dict[str, np.ndarray]:
    """A catalog in good health: stereo mp3 of 128 kb/s."""
    rng = np.random.default_rng(seed)
    usual = {"sample_rate": 44_100, "channels": 2, "bit_rate": 128_000, "claimed_s": 30, "duration_s": 30}
    usual |= {"peak": 0.8, "rms_dbfs": -18, "flat_fraction": 5e-4, "cutoff_hz": 16_000, "bandwidth_hz": 15_000}
    usual |= {"channel_difference_db": 1, "correlation": 0.7, "noise_floor_dbfs": -40, "hum_db": 5, "fall_db": 18}
    usual |= {"burst_db": 15, "click_db": 8, "repeat": 0.2, "hum_line_db": 4, "edge_db": 25, "flatness_db": 15}
    usual |= {"flicker_db": 20, "distinct_fraction": 1}
    names = [name for name, kind in HEALTH_COLUMNS.items() if kind is not str]
    made = {name: usual.get(name, 0) * (1 + 0.03 * rng.standard_normal(n)) for name in names}
    made |= {"sample_rate": np.full(n, 44_100.0), "claimed_s": made["duration_s"] + 0.02}
    return made | {"reconstruction_error": rng.normal(0.3, 0.02, n), "spread": rng.normal(0.1, 0.01, n)}


def judged(made: dict[str, np.ndarray], labels: list[str] | None = None):
    n = len(made["peak"])
    columns = derive(made, np.zeros(n, bool))
    limits = rule_limits(columns, labels or [""] * n, 99.5)
    return columns, limits, rule_excess(columns, limits)


def test_a_clean_catalog_breaks_no_rule():
    assert not (judged(evidence())[2] > 0).any()


@pytest.mark.parametrize(
    ("rule", "column", "value"),
    [
        ("flat tops", "flat_fraction", 0.04),
        ("clipping", "clipped_fraction", 0.03),
        ("sudden silence", "fall_db", 72),
        ("digital silence", "zero_run_s", 2.0),
        ("silent end", "tail_s", 6.0),
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
        ("few levels", "distinct_fraction", 0.03),
    ],
)
def test_each_rule_is_broken_by_its_fault_alone(rule: str, column: str, value: float):
    made = evidence()
    made[column][7] = value
    columns, limits, excess = judged(made)
    assert np.argwhere(excess > 0).tolist() == [[7, [r.name for r in RULES].index(rule)]]
    (found,) = broken_rules(excess, 7, columns, limits)
    assert found["rule"] == rule
    assert str(found["why"]).endswith("is usual here")


def test_a_steep_edge_below_what_the_bit_rate_carries_is_lost_treble():
    made = evidence()
    for row, (edge_db, bit_rate) in enumerate([(60, 320_000), (60, 96_000), (10, 320_000)]):
        made["edge_db"][row], made["bit_rate"][row], made["cutoff_hz"][row] = edge_db, bit_rate, 12_000
    _, _, excess = judged(made)
    lost = [r.name for r in RULES].index("lost treble")
    assert np.flatnonzero(excess[:, lost] > 0).tolist() == [0]


def test_no_value_breaks_no_rule():
    made = evidence()
    for name in ("correlation", "channel_difference_db", "claimed_s", "hum_line_db"):
        made[name][:] = np.nan
    assert not (judged(made)[2] > 0).any()


def test_limits_follow_the_catalog_between_their_bounds():
    made = evidence()
    made["hum_line_db"] += 15  # old records
    made["channel_difference_db"] += 45  # nothing makes that right
    columns, limits, excess = judged(made)
    hum, dead = ([r.name for r in RULES].index(name) for name in ("hum", "dead channel"))
    assert 19 < limits["hum"][0] < 22
    assert not (excess[:, hum] > 0).any()
    assert (excess[:, dead] > 0).all()
    assert columns["hum_line_db"].max() > RULES[hum].fair


def test_the_only_bad_track_of_a_small_catalog_does_not_set_its_own_limit():
    made = evidence(24)
    made["fall_db"][5] = 75
    excess = judged(made)[2]
    assert np.flatnonzero(excess.max(axis=1) > 0).tolist() == [5]


def test_a_label_that_is_large_enough_has_limits_of_its_own():
    for n_noisy in (MIN_LABEL, MIN_LABEL - 1):
        made = evidence(2000)
        made["hum_line_db"][:n_noisy] = np.random.default_rng(1).normal(20, 1, n_noisy)
        _, limits, _ = judged(made, ["field"] * n_noisy + [""] * (2000 - n_noisy))
        assert (limits["hum"][0] < limits["hum"][-1]) == (n_noisy == MIN_LABEL)  # its own spread is small


def versions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, kinds and groups: 200 clean tracks, 40 of them with hum, 40 cut short, 40 never heard of."""
    made = evidence(320)
    made["hum_line_db"][200:240] += 12
    made["tail_s"][240:280] += 2
    made["flicker_db"][280:] *= 3
    columns = derive(made, np.zeros(320, bool))
    kinds = np.array([CLEAN] * 200 + ["hum"] * 40 + ["tail"] * 40 + ["odd"] * 40)
    groups = np.r_[np.arange(200), np.tile(np.arange(40), 3)]
    return np.stack([columns[name] for name in FEATURES], axis=1), kinds, groups


def test_the_detector_knows_faults_it_was_shown_and_suspects_others():
    features, kinds, groups = versions()
    held = judge_held_out(features, kinds, groups, leave_out=["odd"], trees=60)
    found = measure(held, kinds, kinds == CLEAN)
    assert min(row["seen"] for row in found.values()) > 0.98
    assert found["odd"]["left_out"] > 0.9
    assert "left_out" not in found["hum"]
    detector = FaultClassifier(features, kinds, trees=60)
    assert detector.likeliest(features[200:203]) == ["hum"] * 3
    strange = detector.outlierness(features)[:, -1]
    assert strange[280:].min() > 1 > np.median(strange[:200])


def test_what_is_learned_is_never_judged():
    """Noise for features, and a fault in every other track: only who has learned from the track itself knows."""
    rng = np.random.default_rng(0)
    own = rng.standard_normal((120, len(FEATURES)))
    kinds = np.array([CLEAN, "hum"] * 60)
    features, groups = np.repeat(own, 2, axis=0), np.repeat(np.arange(120), 2)
    held = judge_held_out(features, np.repeat(kinds, 2), groups, trees=60)
    assert measure(held, np.repeat(kinds, 2), np.repeat(kinds, 2) == CLEAN)["hum"]["seen"] < 0.7


def test_a_fold_without_any_fault_to_learn_from():
    features, kinds, groups = versions()
    kinds[np.flatnonzero(kinds != CLEAN)[3:]] = CLEAN
    groups[kinds != CLEAN] = 0
    assert np.isfinite(judge_held_out(features, kinds, groups, trees=10).seen).all()


def test_a_column_that_only_versions_have_does_not_break_the_detector():
    features, kinds, _ = versions()
    features[:200, FEATURES.index("correlation")] = np.nan
    assert np.isfinite(FaultClassifier(features, kinds, trees=20).fault_score(features)).all()


def test_groups_are_artists_but_for_one_of_too_many_tracks():
    artists, ids = ["a", None, "a", "b", *["various"] * 8], [f"t{i}" for i in range(12)]
    numbers = number_groups(artists, ids, np.ones(12, bool))
    assert numbers[0] == numbers[2]
    assert sorted(set(numbers.tolist())) == list(range(11)), "all but these two stand alone"
    few_are_clean = number_groups(artists, ids, np.arange(12) < 4)
    assert few_are_clean[0] != few_are_clean[2], "two of four is too many"


def test_scores_fall_with_badness():
    scores = to_scores(np.array([-1e9, 0, 2, 4, 1e9]), limit=2.0, spread=1.0)
    assert (np.diff(scores) < 0).all()
    assert (scores[0], scores[-1]) == (pytest.approx(1), pytest.approx(0))


def test_the_oddest_clip():
    codes = np.random.default_rng(0).integers(90, 110, (5, 128, 130)).astype(np.uint8)
    codes[3, :, 60:] = 0
    assert oddest_clip(codes) == 3
