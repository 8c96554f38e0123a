"""What people decided about findings, and what the next run makes of it.

Conventions
-----------
- A verdict is `issue` or `fine`, of one track by one check. A track judged fine is never an issue of that check again,
  one judged an issue stays one, whatever its score.
- With `ENOUGH` verdicts of both kinds on tracks that have a score, P(issue | score) is fitted, never rising with the
  score (isotonic regression). The threshold moves to where it falls below one half, and P becomes the findings'
  `confidence`. Above the highest score that was judged nothing is known: nothing there becomes an issue by it.
- Precision and recall are about the judged tracks alone. People judge the worst first, so the recall says nothing of
  issues that no check ranked among them.

Source: isotonic calibration as in Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass
probability estimates".
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from audioae.errors import ConfigError
from audioae.screening.result import CHECKS

ENOUGH = 10
FOLDS = 5
WORDS = {"issue": True, "fine": False}
COLUMNS = ("check", "track_id", "verdict")

Judged = Mapping[str, bool]  # track_id to whether it is an issue


@dataclass(frozen=True, eq=False)
class Decision:
    """What a check's scores come to: shapes (n,), bool and float32 (None: as the check has it), and where it changed.

    `verdicts` has a row's verdict, `measured` what they say about the check.
    """

    is_issue: np.ndarray
    confidence: np.ndarray | None
    threshold: float
    verdicts: Mapping[int, str] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)


def read_verdicts(lines: Iterable[str], where: str) -> dict[tuple[str, str], tuple[bool, str]]:
    """Read the CSV that `audioae findings --out` wrote and a person filled in; rows without a verdict are skipped.

    Parameters
    ----------
    lines : iterable of str
    where : str
        What to call the file in messages.

    Returns
    -------
    verdicts : dict of (check, track_id) to (is_issue, where it stands)

    Raises
    ------
    ConfigError
        Naming the line, if a column is missing, a check or a word is unknown, or two rows contradict each other.
    """
    lines = list(lines)
    header = lines[0].lstrip("\ufeff") if lines else ""
    rows = csv.DictReader([header, *lines[1:]], delimiter=max(",;\t", key=header.count))
    if missing := set(COLUMNS) - set(rows.fieldnames or ()):
        raise ConfigError(
            f"{where}, line 1: no column {', '.join(sorted(missing))} among {', '.join(rows.fieldnames or ())}; "
            "wanted the CSV of `audioae findings --out`, with its column verdict filled in"
        )
    found: dict[tuple[str, str], tuple[bool, str]] = {}
    for row in _each(rows, where):
        at = f"{where}, line {rows.line_num}"
        word, check, track_id = ((row[name] or "").strip() for name in ("verdict", "check", "track_id"))
        if not word:
            continue
        if word.lower() not in WORDS:
            raise ConfigError(f"{at}: verdict {word!r}; wanted issue, fine, or nothing")
        if check not in CHECKS:
            raise ConfigError(f"{at}: check {check!r}; wanted one of {', '.join(CHECKS)}")
        if not track_id:
            raise ConfigError(f"{at}: a verdict without a track_id")
        add_verdicts(found, {(check, track_id): (WORDS[word.lower()], at)})
    return found


def _each(rows: csv.DictReader, where: str) -> Iterator[dict[str, str | None]]:
    try:
        yield from rows
    except csv.Error as error:
        raise ConfigError(f"{where}, line {rows.reader.line_num}: not readable as CSV ({error})") from None


def add_verdicts(
    known: dict[tuple[str, str], tuple[bool, str]], more: Mapping[tuple[str, str], tuple[bool, str]]
) -> None:
    """Add to `known` in place. Raises `ConfigError`, naming both places, where they contradict each other."""
    for (check, track_id), (is_issue, at) in more.items():
        before, first = known.setdefault((check, track_id), (is_issue, at))
        if before != is_issue:
            words = {value: word for word, value in WORDS.items()}
            raise ConfigError(
                f"{at}: {track_id} is {words[is_issue]} by check {check}, but {words[before]} in {first}; leave one out"
            )


def decide(
    track_ids: np.ndarray, score: np.ndarray, threshold: float, confidence: np.ndarray | None, judged: Judged
) -> Decision:
    """Decide on a check's scores, by its own threshold or by what people said of them.

    Parameters
    ----------
    track_ids : np.ndarray, shape (n,), str
    score : np.ndarray, shape (n,), float32
        NaN where the check cannot tell.
    threshold : float
        The check's own.
    confidence : np.ndarray, shape (n,), or None
        The check's own.
    judged : mapping of str to bool
        Those of other tracks are counted.
    """
    score = np.asarray(score, np.float32)
    own = _below(score, threshold)
    rows = {row: judged[str(t)] for row, t in enumerate(track_ids) if str(t) in judged} if judged else {}
    if not judged:
        return Decision(own, confidence, threshold)
    at = np.fromiter(rows, np.int64, len(rows))
    truth = np.fromiter(rows.values(), bool, len(rows))
    told = np.isfinite(score[at])
    measured: dict[str, Any] = {
        "issue": int(truth.sum()),
        "fine": int((~truth).sum()),
        "unknown tracks": len(judged) - len(rows),
        "the check's own threshold": {"threshold": threshold, **_agreement(own[at], truth)},
    }
    moved = threshold
    if min(truth[told].sum(), (~truth[told]).sum()) >= ENOUGH:
        moved, probability = calibrate(score[at][told], truth[told], threshold)
        confidence = probability(score)
        measured["calibrated"] = {
            "threshold": moved,
            **_agreement(_held_out(score[at][told], truth[told], threshold), truth[told]),
            "held out": f"{FOLDS} folds",
        }
    else:
        measured["note"] = f"the threshold moves with {ENOUGH} verdicts of each kind on tracks that have a score"
    is_issue = _below(score, moved)
    is_issue[at] = truth
    if confidence is not None:
        confidence = np.array(confidence, np.float32)
        confidence[at] = truth
    words = {value: word for word, value in WORDS.items()}
    return Decision(is_issue, confidence, moved, {row: words[value] for row, value in rows.items()}, measured)


def calibrate(score: np.ndarray, is_issue: np.ndarray, own: float):
    """Where P(issue | score) falls below one half, and P as a function of scores.

    Parameters
    ----------
    score, is_issue : np.ndarray, shape (n,), float and bool
        Of the judged tracks.
    own : float
        The check's own threshold, which holds where nothing was judged.

    Returns
    -------
    threshold : float
    probability : callable of scores (n,) to float32 (n,)
        NaN above the highest score that was judged.
    """
    fitted = IsotonicRegression(increasing=False, y_min=0, y_max=1, out_of_bounds="clip").fit(score, is_issue)
    x, y = fitted.X_thresholds_, fitted.y_thresholds_

    def probability(scores: np.ndarray) -> np.ndarray:
        known = np.isfinite(scores) & (scores <= x[-1])
        found = np.full(len(scores), np.nan, np.float32)
        found[known] = np.interp(scores[known], x, y)
        return found

    above = np.flatnonzero(y >= 0.5)
    if not len(above):
        return min(own, float(x[0])), probability
    last = above[-1]
    if last == len(x) - 1:
        return max(own, float(np.nextafter(np.float32(x[-1]), np.float32(2)))), probability
    share = (y[last] - 0.5) / (y[last] - y[last + 1])
    return float(x[last] + share * (x[last + 1] - x[last])), probability


def _held_out(score: np.ndarray, truth: np.ndarray, own: float) -> np.ndarray:
    """Decisions on judged tracks by thresholds that were fitted without them; folds take every fifth by score."""
    fold = np.empty(len(score), int)
    fold[np.lexsort((truth, score))] = np.arange(len(score)) % FOLDS
    decided = np.empty(len(score), bool)
    for k in range(FOLDS):
        rest = fold != k
        decided[~rest] = _below(score[~rest], calibrate(score[rest], truth[rest], own)[0])
    return decided


def _agreement(decided: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    hits = int((decided & truth).sum())
    return {
        "precision": hits / int(decided.sum()) if decided.any() else None,
        "recall": hits / int(truth.sum()) if truth.any() else None,
    }


def _below(score: np.ndarray, threshold: float) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return score < np.float32(threshold)
