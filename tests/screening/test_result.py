"""`Screened`, and how its rows are grouped into findings."""

from collections.abc import Sequence

import numpy as np
import pytest

from audioae.screening.result import Screened, group_findings

IDS = np.array(["a", "b"], dtype=object)
SCORE = np.array([0.2, np.nan], np.float32)


def test_a_track_without_a_score_is_no_issue():
    assert Screened("corrupt", IDS, SCORE, 0.5).is_issue.tolist() == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("corrupt", IDS, SCORE[:1], 0.5), "got 1 values of score for 2 tracks"),
        (("corrupt", IDS, np.array([0.1, 1.2]), 0.5), "got scores from 0.1 to 1.2"),
        (("corrupt", IDS, SCORE, 0.5, {2: {}}), "got evidence for rows"),
    ],
)
def test_refuses_columns_that_do_not_fit_together(arguments, message):
    with pytest.raises(ValueError, match=message):
        Screened(*arguments)


def group(names: list[str], scores: Sequence[float] | np.ndarray, issues: list[int], checks: list[str] | None = None):
    check = np.array(checks or ["mislabeled"] * len(names), dtype=object)
    return group_findings(check, np.array(names, dtype=object), np.array(scores), np.array(issues, bool))


def test_a_group_is_one_finding_with_its_worst_score():
    grouped = group(["x", "", "y", "x", "y"], [0.4, 0.3, 0.6, 0.1, 0.2], [1, 1, 1, 1, 1])
    assert [grouped.members(i).tolist() for i in range(3)] == [[3, 0], [4, 2], [1]]
    assert grouped.worst.tolist() == [3, 4, 1]
    assert grouped.counts.tolist() == [2, 2, 1]


def test_the_same_group_name_in_two_checks_is_two_findings():
    grouped = group(["x", "x"], [0.4, 0.3], [1, 1], ["corrupt", "mislabeled"])
    assert grouped.counts.tolist() == [1, 1]


def test_issues_come_first_and_rows_without_a_score_last():
    grouped = group(["", "", "", "g", "g"], [np.nan, 0.1, 0.9, np.nan, 0.5], [0, 0, 1, 0, 0])
    assert grouped.rows.tolist() == [2, 1, 4, 3, 0]


def test_ties_keep_their_order_and_no_row_is_lost():
    rng = np.random.default_rng(0)
    names = [f"album {i}" if i else "" for i in rng.integers(0, 30, 500)]
    grouped = group(names, rng.integers(0, 4, 500) / 4, rng.integers(0, 2, 500).tolist())
    assert sorted(grouped.rows.tolist()) == list(range(500))
    assert len(grouped.starts) == len(set(names) - {""}) + names.count("")
    assert group(["", "", ""], [0.5] * 3, [1] * 3).rows.tolist() == [0, 1, 2]
    assert group([], [], []).starts.tolist() == []
