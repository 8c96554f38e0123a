"""Verdicts on findings: applied as given, and generalized only as far as they reach."""

import numpy as np
import pyarrow as pa
import pytest

from audioae.screening.verdicts import calibrate, decide


def test_the_check_decides_without_verdicts():
    score = np.array([0.1, 0.6, np.nan], np.float32)
    decision = decide(pa.array(["a", "b", "c"]), score, 0.5, None, {})
    assert decision.is_issue.tolist() == [True, False, False]
    assert (decision.threshold, decision.confidence, decision.measured) == (0.5, None, {})


def test_tracks_with_a_verdict_are_decided_by_it():
    ids, score = pa.array(["a", "b", "c", "d"]), np.array([0.1, 0.2, 0.9, np.nan], np.float32)
    verdicts = {"a": False, "c": True, "d": True, "gone": True}
    decision = decide(ids, score, 0.5, np.full(4, 0.7), verdicts)
    assert decision.is_issue.tolist() == [False, True, True, True]
    assert decision.confidence is not None
    assert decision.confidence.tolist() == pytest.approx([0, 0.7, 1, 1])
    assert decision.verdicts == {0: "fine", 2: "issue", 3: "issue"}
    assert decision.threshold == 0.5, "four verdicts do not move the threshold"
    assert decision.measured["unknown tracks"] == 1
    assert decision.measured["the check's own threshold"] == {"threshold": 0.5, "precision": 0.0, "recall": 0.0}
    assert "10 verdicts of each kind" in decision.measured["note"]


def noisy(n: int, edge: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and issues that become rare above `edge`."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0, 1, n).astype(np.float32)
    return score, rng.uniform(size=n) < 1 / (1 + np.exp((score - edge) * 30))


def test_enough_verdicts_move_the_threshold_to_where_issues_have_a_probability_of_one_half():
    score, truth = noisy(400, 0.3)
    ids = pa.array([str(i) for i in range(400)])
    verdicts = {str(i): bool(truth[i]) for i in range(300)}
    decision = decide(ids, score, 0.6, None, verdicts)
    assert decision.threshold == pytest.approx(0.3, abs=0.05)
    rest = slice(300, None)
    assert (decision.is_issue[rest] == (score[rest] < decision.threshold)).all()
    own, learned = decision.measured["the check's own threshold"], decision.measured["calibrated"]
    assert learned["precision"] > own["precision"] + 0.2
    assert learned["recall"] > 0.8
    assert decision.confidence is not None
    known = np.flatnonzero(score[rest] <= score[:300].max()) + 300
    order = known[np.argsort(score[known])]
    assert (np.diff(decision.confidence[order]) <= 1e-6).all()
    few = {key: verdicts[key] for key in list(verdicts)[:20]}
    assert decide(ids, score, 0.6, None, few).threshold == 0.6


def test_precision_and_recall_are_cross_validated():
    """A threshold fitted without the track at 0.49 or at 0.5 decides it wrongly; fitted on all, both are right."""
    score = np.r_[np.linspace(0, 0.1, 19), 0.49, np.linspace(0.5, 0.9, 20)].astype(np.float32)
    ids = pa.array([str(i) for i in range(40)])
    decision = decide(ids, score, 0.9, None, {str(i): i < 20 for i in range(40)})
    learned = decision.measured["calibrated"]
    assert decision.is_issue.tolist() == [True] * 20 + [False] * 20
    assert (learned["precision"], learned["recall"]) == (0.95, 0.95)


def test_the_learned_threshold_never_exceeds_the_highest_score_with_a_verdict():
    low = np.linspace(0.0, 0.2, 40)
    threshold, probability = calibrate(low, np.arange(40) % 4 > 0, threshold=0.1)
    assert 0.2 < threshold < 0.2001, "the worst 40 are mostly issues, which says nothing about the rest"
    assert np.isnan(probability(np.array([0.5]))).all()
    assert probability(np.array([0.1]))[0] == pytest.approx(0.75, abs=0.05)
    assert calibrate(low, np.arange(40) % 4 > 0, threshold=0.4)[0] == 0.4
    middle = np.linspace(0.4, 0.6, 40)
    assert calibrate(middle, np.arange(40) % 4 == 3, threshold=0.7)[0] == pytest.approx(0.4)
    assert calibrate(middle, np.arange(40) % 4 == 3, threshold=0.3)[0] == 0.3
