"""The classifier: known faults are recognized, unknown ones are outliers, and no row is scored by what it trained."""

import numpy as np
import pytest

from audioae.screening.corrupt.classifier import (
    CLEAN,
    FEATURES,
    FaultClassifier,
    measure,
    number_groups,
    score_held_out,
    to_scores,
)
from audioae.screening.corrupt.rules import derive
from tests.screening.corrupt.made import evidence


def versions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, kinds and groups: 200 clean tracks; 40 versions each with hum, a silent end and an odd fault."""
    made = evidence(320)
    made["hum_line_db"][200:240] += 12
    made["tail_s"][240:280] += 2
    made["flicker_db"][280:] *= 3
    columns = derive(made, np.zeros(320, bool))
    kinds = np.array([CLEAN] * 200 + ["hum"] * 40 + ["tail"] * 40 + ["odd"] * 40)
    groups = np.r_[np.arange(200), np.tile(np.arange(40), 3)]
    return np.stack([columns[name] for name in FEATURES], axis=1), kinds, groups


def test_recognizes_known_faults_and_suspects_unknown_ones():
    features, kinds, groups = versions()
    scores = score_held_out(features, kinds, groups, leave_out=["odd"], trees=60)
    aurocs = measure(scores, kinds, kinds == CLEAN)
    assert min(row["seen"] for row in aurocs.values()) > 0.98
    assert aurocs["odd"]["left_out"] > 0.9
    assert "left_out" not in aurocs["hum"]
    classifier = FaultClassifier(features, kinds, trees=60)
    assert classifier.most_likely_fault(features[200:203]) == ["hum"] * 3
    outlierness = classifier.outlierness(features)[:, -1]
    assert outlierness[280:].min() > 1 > np.median(outlierness[:200])


def test_a_fault_score_is_log_odds_plus_log_outlierness(monkeypatch: pytest.MonkeyPatch):
    """0.01 is added to both sides of the odds, so that forests that agree give finite scores."""
    features, kinds, _ = versions()
    classifier = FaultClassifier(features, kinds, trees=5)
    clean = np.array([0.0, 0.25, 0.5, 1.0])
    outlierness = np.array([[0.0, 0.0, 0.9], [0.0, 0.9, 0.9], [0.1, 0.2, 0.9], [0.0, 0.0, 9.9]])
    column = list(classifier._kinds).index(CLEAN)
    chances = np.repeat((1 - clean[:, None]) / 3, 4, axis=1)
    chances[:, column] = clean
    monkeypatch.setattr(classifier, "outlierness", lambda _: outlierness)
    monkeypatch.setattr(classifier._forest, "predict_proba", lambda _: chances)
    wanted = [np.log(101), np.log(0.76 / 0.26), 0.0, np.log(10 / 101)]
    assert classifier.fault_score(features[:4]) == pytest.approx(wanted)


def test_a_group_is_never_scored_by_a_classifier_trained_on_it():
    """With random features only a classifier that was trained on the track itself knows which rows are faulty."""
    rng = np.random.default_rng(0)
    random = rng.standard_normal((120, len(FEATURES)))
    kinds = np.array([CLEAN, "hum"] * 60)
    features, groups = np.repeat(random, 2, axis=0), np.repeat(np.arange(120), 2)
    scores = score_held_out(features, np.repeat(kinds, 2), groups, trees=60)
    assert measure(scores, np.repeat(kinds, 2), np.repeat(kinds, 2) == CLEAN)["hum"]["seen"] < 0.7


def test_a_fold_without_faults_to_train_on_is_scored():
    features, kinds, groups = versions()
    kinds[np.flatnonzero(kinds != CLEAN)[3:]] = CLEAN
    groups[kinds != CLEAN] = 0
    assert np.isfinite(score_held_out(features, kinds, groups, trees=10).seen).all()


def test_a_column_that_only_versions_have_is_no_problem():
    features, kinds, _ = versions()
    features[:200, FEATURES.index("correlation")] = np.nan
    assert np.isfinite(FaultClassifier(features, kinds, trees=20).fault_score(features)).all()


def test_groups_are_artists_except_one_with_too_many_tracks():
    artists, ids = ["a", None, "a", "b", *["various"] * 8], [f"t{i}" for i in range(12)]
    numbers = number_groups(artists, ids, np.ones(12, bool))
    assert numbers[0] == numbers[2]
    assert sorted(set(numbers.tolist())) == list(range(11)), "all other tracks are groups by themselves"
    few_are_clean = number_groups(artists, ids, np.arange(12) < 4)
    assert few_are_clean[0] != few_are_clean[2], "two of four is too many"


def test_scores_fall_as_fault_scores_rise():
    scores = to_scores(np.array([-1e9, 0, 2, 4, 1e9]), limit=2.0, spread=1.0)
    assert (np.diff(scores) < 0).all()
    assert (scores[0], scores[-1]) == (pytest.approx(1), pytest.approx(0))
    odds = np.exp([2.0, 0.0, -0.5])  # (limit - fault score) / spread
    assert to_scores(np.array([-4.0, 4.0, 6.0]), limit=4.0, spread=4.0) == pytest.approx(odds / (1 + odds))
