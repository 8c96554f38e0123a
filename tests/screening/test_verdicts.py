"""What people said about findings: read without mistakes, obeyed, and learned from only as far as it goes."""

import re

import numpy as np
import pytest

from audioae.errors import ConfigError
from audioae.screening.verdicts import add_verdicts, calibrate, decide, read_verdicts

HEADER = "rank,check,track_id,title,verdict\n"


def read(text: str) -> dict:
    return read_verdicts(text.splitlines(keepends=True), "worst.csv")


def test_rows_with_a_verdict_are_read_however_a_spreadsheet_saved_them():
    rows = HEADER + '1,corrupt,aa,"a, b\nc",Issue\n2,corrupt,ab,,\n3,duplicate,aa,x, fine \n'
    wanted = {("corrupt", "aa"): True, ("duplicate", "aa"): False}
    assert {key: value[0] for key, value in read(rows).items()} == wanted
    assert {key: value[0] for key, value in read("\ufeff" + rows.replace("\n", "\r\n")).items()} == wanted
    semicolons = "\ufeffcheck;track_id;verdict\r\ncorrupt;aa;issue\r\n"
    assert {key: value[0] for key, value in read(semicolons).items()} == {("corrupt", "aa"): True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column check, track_id, verdict"),
        ("check,track_id\ncorrupt,aa\n", "line 1: no column verdict among check, track_id"),
        (HEADER + "1,corrupt,aa,x,\n2,corrupt,ab,x,perhaps\n", "line 3: verdict 'perhaps'; wanted issue, fine"),
        (HEADER + "1,corupt,aa,x,issue\n", "line 2: check 'corupt'; wanted one of mislabeled, corrupt"),
        (HEADER + "1,corrupt,aa,x,issue\n" + '2,corrupt,"' + "x" * 200_000, "line 3: not readable as CSV"),
        (HEADER + "1,corrupt,,x,issue\n", "line 2: a verdict without a track_id"),
        (HEADER + "1,corrupt,aa,x,issue\n2,corrupt,aa,x,fine\n", "line 3: aa is fine by check corrupt, but issue in"),
    ],
)
def test_a_wrong_row_is_one_message_with_its_line(text, message):
    with pytest.raises(ConfigError, match=re.escape(f"worst.csv, {message}")):
        read(text)


def test_the_same_verdict_in_two_files_is_one_and_another_one_an_error():
    known = read(HEADER + "1,corrupt,aa,x,issue\n")
    add_verdicts(known, read(HEADER + "1,corrupt,aa,x,issue\n1,corrupt,ab,x,fine\n"))
    assert len(known) == 2
    with pytest.raises(ConfigError, match=r"ab is issue by check corrupt, but fine in worst\.csv, line 3; leave one"):
        add_verdicts(known, read(HEADER + "1,corrupt,ab,x,issue\n"))


def test_without_verdicts_the_check_decides():
    score = np.array([0.1, 0.6, np.nan], np.float32)
    decision = decide(np.array(["a", "b", "c"]), score, 0.5, None, {})
    assert decision.is_issue.tolist() == [True, False, False]
    assert (decision.threshold, decision.confidence, decision.measured) == (0.5, None, {})


def test_what_was_judged_stays_as_it_was_judged():
    ids, score = np.array(["a", "b", "c", "d"]), np.array([0.1, 0.2, 0.9, np.nan], np.float32)
    judged = {"a": False, "c": True, "d": True, "gone": True}
    decision = decide(ids, score, 0.5, np.full(4, 0.7), judged)
    assert decision.is_issue.tolist() == [False, True, True, True]
    assert decision.confidence is not None
    assert decision.confidence.tolist() == pytest.approx([0, 0.7, 1, 1])
    assert decision.verdicts == {0: "fine", 2: "issue", 3: "issue"}
    assert decision.threshold == 0.5, "four verdicts do not move it"
    assert decision.measured["unknown tracks"] == 1
    assert decision.measured["the check's own threshold"] == {"threshold": 0.5, "precision": 0.0, "recall": 0.0}
    assert "10 verdicts of each kind" in decision.measured["note"]


def noisy(n: int, edge: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and issues that grow rarer around `edge`."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0, 1, n).astype(np.float32)
    return score, rng.uniform(size=n) < 1 / (1 + np.exp((score - edge) * 30))


def test_enough_verdicts_move_the_threshold_to_where_an_issue_is_as_likely_as_not():
    score, truth = noisy(400, 0.3)
    ids = np.array([str(i) for i in range(400)])
    judged = {str(i): bool(truth[i]) for i in range(300)}
    decision = decide(ids, score, 0.6, None, judged)
    assert decision.threshold == pytest.approx(0.3, abs=0.05)
    rest = slice(300, None)
    assert (decision.is_issue[rest] == (score[rest] < decision.threshold)).all()
    own, moved = decision.measured["the check's own threshold"], decision.measured["calibrated"]
    assert moved["precision"] > own["precision"] + 0.2
    assert moved["recall"] > 0.8
    assert decision.confidence is not None
    known = np.flatnonzero(score[rest] <= score[:300].max()) + 300
    order = known[np.argsort(score[known])]
    assert (np.diff(decision.confidence[order]) <= 1e-6).all()
    few = {key: judged[key] for key in list(judged)[:20]}
    assert decide(ids, score, 0.6, None, few).threshold == 0.6


def test_precision_and_recall_are_of_verdicts_that_were_held_out():
    """Without the one at .49 or the one at .5 the threshold lies on their other side; fitted on all, both are right."""
    score = np.r_[np.linspace(0, 0.1, 19), 0.49, np.linspace(0.5, 0.9, 20)].astype(np.float32)
    ids = np.array([str(i) for i in range(40)])
    decision = decide(ids, score, 0.9, None, {str(i): i < 20 for i in range(40)})
    found = decision.measured["calibrated"]
    assert decision.is_issue.tolist() == [True] * 20 + [False] * 20
    assert (found["precision"], found["recall"]) == (0.95, 0.95)


def test_nothing_is_concluded_beyond_what_was_judged():
    low = np.linspace(0.0, 0.2, 40)
    threshold, probability = calibrate(low, np.arange(40) % 4 > 0, own=0.1)
    assert 0.2 < threshold < 0.2001, "the worst 40 are mostly issues: that says nothing of the rest"
    assert np.isnan(probability(np.array([0.5]))).all()
    assert probability(np.array([0.1]))[0] == pytest.approx(0.75, abs=0.05)
    assert calibrate(low, np.arange(40) % 4 > 0, own=0.4)[0] == 0.4
    middle = np.linspace(0.4, 0.6, 40)
    assert calibrate(middle, np.arange(40) % 4 == 3, own=0.7)[0] == pytest.approx(0.4)
    assert calibrate(middle, np.arange(40) % 4 == 3, own=0.3)[0] == 0.3
