"""Score answers: how often people choose the track that a set of vectors puts closer to X.

Conventions
-----------
- Vectors agree with an answer if the chosen candidate has the higher cosine to X; equal cosines count as half.
- Agreement is over trials heard for the first time; catch trials and repeated ones are not part of it. 0.5 is chance.
- Intervals are over triplets, since several persons answer the same ones. With `MIN_LISTENERS` persons they are also
  computed over persons, and the wider one is reported; with fewer they hold for these persons only.
- "Too few answers to tell": there is no interval, or it contains chance and `CLEAR`, an agreement that would matter.

Why agreement between persons is reported too: it bounds what vectors can reach. If a person chooses the majority's
candidate with probability p, two agree in p^2 + (1 - p)^2 of the trials, and the best vectors agree in p of them; if
trials differ in p, in fewer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from audioae.errors import EvaluationError
from audioae.listening.answers import Answers
from audioae.listening.triplets import DIFFICULTIES
from audioae.metrics.intervals import MIN_GROUPS, SHARE
from audioae.metrics.metric import Metric, difference, mean_metric

CHANCE = 0.5
CLEAR = 0.65
MIN_LISTENERS = MIN_GROUPS
TOO_FEW = "too few answers to tell"

Vectors = Mapping[str, np.ndarray]
"""The vector of each track, by its ID."""

Interval = dict[str, Any]
"""value, low, high (None: too few) and n."""


@dataclass(frozen=True, eq=False)
class FirstAnswers:
    """Answers to triplets that were heard for the first time, one row each.

    Attributes
    ----------
    triplet : np.ndarray, shape (n,), int
        A number per set of X and two candidates, which persons and files share.
    listener : np.ndarray, shape (n,), int
        The file of each answer.
    difficulty : np.ndarray, shape (n,), str
    tracks : sequence of (x, chosen, other)
        Track IDs.
    """

    triplet: np.ndarray
    listener: np.ndarray
    difficulty: np.ndarray
    tracks: Sequence[tuple[str, str, str]]


def first_answers(files: Sequence[Answers]) -> FirstAnswers:
    """All answers to trials that are heard for the first time and are no catch trials.

    Raises
    ------
    EvaluationError
        If there is none.
    """
    numbers: dict[Any, int] = {}
    rows = []
    for listener, file in enumerate(files):
        for answer in file.answers:
            trial = file.trials[answer.trial]
            if trial.repeated or trial.own:
                continue
            x, chosen = trial.x.track_id, trial.chosen(answer.choice)
            other = trial.chosen("b" if answer.choice == "a" else "a")
            triplet = numbers.setdefault((x, frozenset((chosen, other))), len(numbers))
            rows.append((triplet, listener, trial.difficulty, (x, chosen, other)))
    if not rows:
        raise EvaluationError("listening test: got no answers but to catch or repeated trials; answer more of the test")
    triplet, listener, difficulty, tracks = zip(*rows, strict=True)
    return FirstAnswers(np.array(triplet), np.array(listener), np.array(difficulty), tracks)


def agreement(heard: FirstAnswers, vectors: Vectors) -> np.ndarray:
    """Whether vectors agree with each answer, shape (n,): 1, 0, 0.5 for equal cosines, NaN for a track without one."""
    values = np.full(len(heard.tracks), np.nan)
    for i, (x, chosen, other) in enumerate(heard.tracks):
        if x in vectors and chosen in vectors and other in vectors:
            gap = float(vectors[x] @ vectors[chosen]) - float(vectors[x] @ vectors[other])
            values[i] = 0.5 + 0.5 * np.sign(gap)
    return values


def estimate(key: str, values: np.ndarray, heard: FirstAnswers) -> Interval:
    """The mean with its interval: over triplets, and over persons too if there are enough; NaN excludes an answer."""
    found = _interval(key, values, heard.triplet)
    if len(np.unique(heard.listener[~np.isnan(values)])) < MIN_LISTENERS or found["low"] is None:
        return found
    over_listeners = _interval(key, values, heard.listener)
    return max(found, over_listeners, key=lambda one: one["high"] - one["low"])


def agreements(heard: FirstAnswers, vectors: Mapping[str, Vectors]) -> list[dict[str, Any]]:
    """The agreement of every set of vectors, over all answers and by difficulty, with a verdict in words."""
    rows = []
    for name, by_id in vectors.items():
        values = agreement(heard, by_id)
        for difficulty in ("all", *DIFFICULTIES):
            part = values if difficulty == "all" else np.where(heard.difficulty == difficulty, values, np.nan)
            if not np.isnan(part).all():
                found = estimate(f"agreement of {name}", part, heard)
                rows.append({"vectors": name, "difficulty": difficulty, **found, "verdict": verdict(found)})
    return rows


def verdict(found: Interval) -> str:
    """What an agreement's interval says.

    >>> verdict({"low": 0.4, "high": 0.8}), verdict({"low": 0.55, "high": 0.8}), verdict({"low": 0.42, "high": 0.58})
    ('too few answers to tell', 'above chance', 'near chance')
    """
    if found["low"] is None:
        return TOO_FEW
    if found["low"] > CHANCE:
        return "above chance"
    if found["high"] < CHANCE:
        return "below chance"
    too_wide = found["high"] >= CLEAR or found["low"] <= 1 - CLEAR
    return TOO_FEW if too_wide else "near chance"


def compared(heard: FirstAnswers, vectors: Mapping[str, Vectors]) -> list[dict[str, Any]]:
    """The agreement of the first vectors minus that of each other, on the answers that both can score."""
    (_, own), *others = vectors.items()
    rows = []
    for name, by_id in others:
        values, theirs = agreement(heard, own), agreement(heard, by_id)
        both = ~np.isnan(values) & ~np.isnan(theirs)
        if not both.any():
            continue
        gap = difference(*(_metric(name, part, both, heard) for part in (values, theirs)))
        low, high = gap.interval or (None, None)
        said = TOO_FEW if not gap.real else "more" if gap.value > 0 else "less"
        rows.append(
            {"against": name, "value": gap.value, "low": low, "high": high, "n": int(both.sum()), "agrees": said}
        )
    return rows


def _metric(name: str, values: np.ndarray, both: np.ndarray, heard: FirstAnswers) -> Metric:
    return mean_metric(f"agreement against {name}", np.where(both, values, np.nan), heard.triplet, limits=SHARE)


def _interval(key: str, values: np.ndarray, groups: np.ndarray) -> Interval:
    """The mean of shares with its interval."""
    metric = mean_metric(key, values, groups, limits=SHARE)
    low, high = metric.interval or (None, None)
    return {"value": metric.value, "low": low, "high": high, "n": metric.n}


def between_listeners(heard: FirstAnswers) -> Interval | None:
    """How often two persons choose the same track in the same triplet; None if no two answered the same one.

    `ceiling` is the highest agreement with a person that vectors can have then.
    """
    shares = {}
    for triplet in np.unique(heard.triplet).tolist():
        chosen = [heard.tracks[i][1] for i in np.flatnonzero(heard.triplet == triplet).tolist()]
        if len(chosen) > 1:
            shares[triplet] = np.mean([one == other for one, other in combinations(chosen, 2)])
    if not shares:
        return None
    found = _interval("agreement between listeners", np.array([*shares.values()]), np.arange(len(shares)))
    return {**found, "ceiling": (1 + max(2 * found["value"] - 1, 0.0) ** 0.5) / 2}


def consistency(files: Sequence[Answers]) -> Interval | None:
    """How often a person chooses the same track when a trial comes back with A and B exchanged; None if none did."""
    same = [value for file in files for value in repeated(file)]
    if not same:
        return None
    return _interval("self-consistency", np.array(same, float), np.arange(len(same)))


def repeated(file: Answers) -> list[bool]:
    """For each repeated trial of a file that was answered both times, whether both answers are the same."""
    first: dict[Any, str] = {}
    same = []
    for answer in sorted(file.answers, key=lambda answer: file.trials[answer.trial].repeated):
        trial = file.trials[answer.trial]
        key = (trial.x.track_id, frozenset((trial.a.track_id, trial.b.track_id)))
        chosen = trial.chosen(answer.choice)
        if not trial.repeated:
            first[key] = chosen
        elif key in first:
            same.append(first[key] == chosen)
    return same


def listener_rows(files: Sequence[Answers], heard: FirstAnswers, vectors: Vectors) -> list[dict[str, Any]]:
    """For each file: its answers, catch trials failed, repeated answers that stayed, and agreement with the vectors."""
    values = agreement(heard, vectors)
    rows = []
    for i, file in enumerate(files):
        catches = [(file.trials[one.trial].own, one.choice) for one in file.answers if file.trials[one.trial].own]
        same, own = repeated(file), values[(heard.listener == i) & ~np.isnan(values)]
        rows.append(
            {
                "listener": file.listener or file.session[:8],
                "answers": len(file.answers),
                "trials": len(file.trials),
                "catch_failed": sum(own != choice for own, choice in catches),
                "catch": len(catches),
                "same_again": sum(same),
                "repeated": len(same),
                "agreement": float(own.mean()) if len(own) else None,
            }
        )
    return rows
