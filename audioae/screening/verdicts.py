"""Applying people's verdicts: their tracks are decided, and enough of them move the check's threshold.

Conventions
-----------
- A track with the verdict fine is never an issue of that check again; one with the verdict issue stays an issue,
  whatever its score.
- With `ENOUGH` verdicts of each kind on tracks with a score, P(issue | score) is fitted so that it never rises with
  the score (isotonic regression). The threshold moves to where P falls below one half, and P becomes the `confidence`
  of the findings. The learned threshold never goes above the highest score that has a verdict.
- Precision and recall refer to the tracks with a verdict. People judge the worst findings first, so the recall says
  nothing about issues that the check ranked low.

Source: isotonic calibration as in Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass
probability estimates".
"""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.screening.verdict_files import WORDS

ENOUGH = 10
FOLDS = 5

Verdicts = Mapping[str, bool]
"""For one check: track_id to whether the verdict is issue."""


@dataclass(frozen=True, eq=False)
class Decision:
    """The decision on n scores.

    Parameters
    ----------
    is_issue : np.ndarray, shape (n,), bool
    confidence : np.ndarray, shape (n,), float32, or None
        Probability that an issue is right; None where the check gives none and no verdicts are known.
    threshold : float
    verdicts : mapping of row to "issue" or "fine"
    measured : mapping
        How well the check agrees with the verdicts, as JSON; empty without verdicts.
    """

    is_issue: np.ndarray
    confidence: np.ndarray | None
    threshold: float
    verdicts: Mapping[int, str] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)


def decide(
    track_ids: pa.StringArray, score: np.ndarray, threshold: float, confidence: np.ndarray | None, verdicts: Verdicts
) -> Decision:
    """Decide which scores are issues, by the check's threshold or by the verdicts of people.

    Parameters
    ----------
    track_ids : pa.StringArray, length n
    score : np.ndarray, shape (n,), float32
        NaN where the check cannot tell.
    threshold : float
        The check's threshold.
    confidence : np.ndarray, shape (n,), or None
        The check's confidence.
    verdicts : mapping of str to bool
        Verdicts on tracks that are not among `track_ids` are counted as "unknown tracks".
    """
    score = np.asarray(score, np.float32)
    by_check = _below(score, threshold)
    if not verdicts:
        return Decision(by_check, confidence, threshold)
    judged = pc.is_in(track_ids, value_set=pa.array(list(verdicts), pa.string()))
    rows = np.flatnonzero(judged.to_numpy(zero_copy_only=False))
    truth = np.array([verdicts[track_id] for track_id in track_ids.filter(judged).to_pylist()], bool)
    scored = np.isfinite(score[rows])
    measured: dict[str, Any] = {
        "issue": int(truth.sum()),
        "fine": int((~truth).sum()),
        "unknown tracks": len(verdicts) - len(rows),
        "the check's own threshold": {"threshold": threshold, **_precision_recall(by_check[rows], truth)},
    }
    learned = threshold
    if min(truth[scored].sum(), (~truth[scored]).sum()) >= ENOUGH:
        learned, probability = calibrate(score[rows][scored], truth[scored], threshold)
        confidence = probability(score)
        cross_validated = _cross_validate(score[rows][scored], truth[scored], threshold)
        measured["calibrated"] = {
            "threshold": learned,
            **_precision_recall(cross_validated, truth[scored]),
            "held out": f"{FOLDS} folds",
        }
    else:
        measured["note"] = f"the threshold moves after {ENOUGH} verdicts of each kind on tracks with a score"
    is_issue = _below(score, learned)
    is_issue[rows] = truth
    if confidence is not None:
        confidence = np.array(confidence, np.float32)
        confidence[rows] = truth
    words = {row: WORDS[verdict] for row, verdict in zip(rows.tolist(), truth.tolist(), strict=True)}
    return Decision(is_issue, confidence, learned, words, measured)


def calibrate(
    score: np.ndarray, is_issue: np.ndarray, threshold: float
) -> tuple[float, Callable[[np.ndarray], np.ndarray]]:
    """Find where P(issue | score) falls below one half, and P as a function of the score.

    Parameters
    ----------
    score, is_issue : np.ndarray, shape (n,), float and bool
        Of the tracks with a verdict.
    threshold : float
        The check's threshold, which holds where there are no verdicts.

    Returns
    -------
    threshold : float
    probability : callable of scores (n,) to float32 (n,)
        NaN above the highest score with a verdict.
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(increasing=False, y_min=0, y_max=1, out_of_bounds="clip").fit(score, is_issue)
    x, y = fitted.X_thresholds_, fitted.y_thresholds_

    def probability(scores: np.ndarray) -> np.ndarray:
        known = np.isfinite(scores) & (scores <= x[-1])
        values = np.full(len(scores), np.nan, np.float32)
        values[known] = np.interp(scores[known], x, y)
        return values

    likely = np.flatnonzero(y >= 0.5)
    if not len(likely):
        return min(threshold, float(x[0])), probability
    last = likely[-1]
    if last == len(x) - 1:
        return max(threshold, float(np.nextafter(np.float32(x[-1]), np.float32(2)))), probability
    share = (y[last] - 0.5) / (y[last] - y[last + 1])
    return float(x[last] + share * (x[last + 1] - x[last])), probability


def _cross_validate(score: np.ndarray, truth: np.ndarray, threshold: float) -> np.ndarray:
    """Decisions by thresholds that were fitted without the track; a fold takes every fifth track by score."""
    fold = np.empty(len(score), int)
    fold[np.lexsort((truth, score))] = np.arange(len(score)) % FOLDS
    is_issue = np.empty(len(score), bool)
    for k in range(FOLDS):
        train = fold != k
        is_issue[~train] = _below(score[~train], calibrate(score[train], truth[train], threshold)[0])
    return is_issue


def _precision_recall(is_issue: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    hits = int((is_issue & truth).sum())
    return {
        "precision": hits / int(is_issue.sum()) if is_issue.any() else None,
        "recall": hits / int(truth.sum()) if truth.any() else None,
    }


def _below(score: np.ndarray, threshold: float) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return score < np.float32(threshold)
