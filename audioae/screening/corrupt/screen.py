"""Check corrupt: rules over the evidence of the one decode, and a classifier of faults done to the catalog's tracks.

Conventions
-----------
- Every decoded track is judged by what the store has of it; only a sample is decoded again, to do faults to it.
- A score below 0.5 is an issue. A broken rule is one whatever the classifier says; else the classifier's limit is what
  all but `false_positive_rate` of the clean tracks stay below, judged by detectors that have not learned from them, and
  the rules' margin.
- `measured`: "types" has the AUROC of each fault, "seen" by detectors that know it and "left_out" by ones that do not,
  always of tracks that were held out; rules and classifier together. "false_positive_rate" is that of tracks that break
  no rule, at a limit set by other ones; "broken" is the share of the catalog that breaks a rule.

Why the sample is written and decoded instead of changed in memory: evidence is of the file, its encoder and its rate.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from audioae.config import Config
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.corrupt.classifier import (
    CLEAN,
    FEATURES,
    MAX_CLEAN,
    FaultClassifier,
    HeldOutScores,
    judge_held_out,
    measure,
    number_groups,
    to_scores,
)
from audioae.screening.corrupt.faults import FAULTS
from audioae.screening.corrupt.features import Evidence, Versions, make_versions, oddest_clips, read_evidence
from audioae.screening.corrupt.rules import MARGIN, broken_rules, rule_excess, rule_limits
from audioae.screening.result import Screened

MIN_CLEAN = 16  # tracks below which there is nothing to learn from
THRESHOLD = 0.5
N_SHOWN = 50
_LEAST_BADNESS = 0.2


class CorruptConfig(Config):
    """Where a rule's limit lies among the catalog's tracks, and how many tracks are decoded again to learn from.

    Each of `n_sample` tracks gets `n_faults` faults of `audio/faults.py`, one at a time. 0 tracks: rules only.
    """

    percentile: float = Field(default=99.5, gt=50, lt=100)
    n_sample: int = Field(default=64, ge=0)
    n_faults: int = Field(default=5, ge=1, le=len(FAULTS) - 1)
    false_positive_rate: float = Field(default=0.005, gt=0, le=0.1)
    leave_out: bool = True


def screen_corrupt(library: Generation, config: CorruptConfig, workers: Workers, report: Progress) -> Screened:
    """Judge every decoded track of a library.

    Parameters
    ----------
    library : Generation
    config : CorruptConfig
    workers : Workers
        Who decodes the sample.
    report : Report

    Returns
    -------
    Screened
        `evidence` has why, rules, listen_s (the start of the clip that is least like the others) and, of what the
        classifier found, `answer`, the likeliest fault.
    """
    evidence = read_evidence(library)
    limits = rule_limits(evidence.columns, evidence.labels, config.percentile)
    excess = rule_excess(evidence.columns, limits)
    broken = excess.max(axis=1) > 0
    clean = np.flatnonzero(~broken)
    omitted = list(_unknown(evidence))
    versions = None
    if config.n_sample and len(clean) >= MIN_CLEAN:
        sample = np.random.default_rng(0).permutation(clean)[: config.n_sample]
        versions = make_versions(library, evidence, sample, config.n_faults, workers, report)
        omitted += versions.omitted
    elif config.n_sample:
        omitted.append(f"{len(clean)} clean tracks are too few to learn from, wanted {MIN_CLEAN}: rules only")
    score, answers, measured = np.ones(len(broken)), {}, {"broken": float(broken.mean())}
    learned = versions is not None and bool(set(versions.kinds) - {CLEAN})
    if versions is not None and learned:
        score, answers, measured = _learn(evidence, versions, limits, broken, config)
    score = _with_rules(score, excess).astype(np.float32)
    shown = np.flatnonzero(score < THRESHOLD).tolist()
    shown += [row for row in np.argsort(score, kind="stable")[:N_SHOWN].tolist() if row not in set(shown)]
    heard = oddest_clips(library, [evidence.tracks[row] for row in shown])
    return Screened(
        check="corrupt",
        track_ids=np.array([track["track_id"] for track in evidence.tracks], object),
        score=score,
        threshold=THRESHOLD,
        evidence={row: _explain(row, evidence, excess, limits, answers, heard) for row in shown},
        measured=measured,
        omitted=omitted,
        settled=learned or versions is None,
    )


def _learn(
    evidence: Evidence,
    versions: Versions,
    limits: Mapping[str, np.ndarray],
    broken: np.ndarray,
    config: CorruptConfig,
) -> tuple[np.ndarray, dict[int, str], dict[str, Any]]:
    """Scores of all tracks by the classifier, the fault that each is most like, and what was measured."""
    own, made = (
        np.stack([columns[name] for name in FEATURES], axis=1) for columns in (evidence.columns, versions.columns)
    )
    learned = np.sort(np.random.default_rng(1).permutation(np.flatnonzero(~broken))[:MAX_CLEAN])
    artists, ids = ([track[name] for track in evidence.tracks] for name in ("artist", "track_id"))
    numbers = number_groups(artists, ids, ~broken)
    features = np.concatenate([own[learned], made])
    kinds = np.concatenate([np.full(len(learned), CLEAN, object), versions.kinds]).astype(str)
    groups = np.concatenate([numbers[learned], numbers[versions.track]])
    faults = sorted(set(kinds) - {CLEAN})
    held = judge_held_out(features, kinds, groups, leave_out=faults if config.leave_out else ())
    detector = FaultClassifier(features, kinds)
    fault_score = detector.fault_score(own)
    fault_score[learned] = held.seen[: len(learned)]
    clean = held.seen[: len(learned)]
    limit, spread = _limit(clean, config), max(float(clean.std()), 1e-3)
    score = to_scores(fault_score, limit, spread)
    answers = dict(zip(range(len(own)), detector.likeliest(own), strict=True))
    excess = rule_excess(versions.columns, {name: values[versions.track] for name, values in limits.items()})
    excess = np.concatenate([np.full((len(learned), excess.shape[1]), -np.inf), excess])

    def judged(values: np.ndarray) -> np.ndarray:
        return 1.0 - _with_rules(to_scores(values, limit, spread), excess)

    held = HeldOutScores(judged(held.seen), {kind: judged(values) for kind, values in held.left_out.items()})
    types = measure(held, kinds, kinds == CLEAN)
    measured: dict[str, Any] = {"types": types}
    for side in ("seen", "left_out"):
        values = [row[side] for row in types.values() if side in row]
        measured |= {side: float(np.mean(values))} if values else {}
    measured["false_positive_rate"] = _false_positive_rate(clean, numbers[learned], config)
    return score, answers, measured | {"broken": float(broken.mean()), "n_versions": len(versions.kinds)}


def _limit(clean: np.ndarray, config: CorruptConfig) -> float:
    middle, far = np.quantile(clean, [0.5, 1 - config.false_positive_rate])
    return max(float(far + MARGIN * (far - middle)), _LEAST_BADNESS)


def _false_positive_rate(clean: np.ndarray, groups: np.ndarray, config: CorruptConfig) -> float:
    """Of each tenth of the groups, by the limit that the others set."""
    wrong = 0
    for fold in range(10):
        own = groups % 10 == fold
        if own.any() and not own.all():
            wrong += int((clean[own] > _limit(clean[~own], config)).sum())
    return wrong / len(clean)


def _with_rules(score: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """A broken rule puts a track below the threshold, the further the worse it is broken."""
    worst = np.maximum(excess.max(axis=1), 0)
    return np.where(worst > 0, np.minimum(score, 0.9 * THRESHOLD / (1 + worst)), score)


def _explain(
    row: int,
    evidence: Evidence,
    excess: np.ndarray,
    limits: Mapping[str, np.ndarray],
    answers: Mapping[int, str],
    heard: Mapping[str, float],
) -> dict[str, Any]:
    rules = broken_rules(excess, row, evidence.columns, limits)
    likeliest = answers.get(row)
    if rules:
        why = "; ".join(str(rule.pop("why")) for rule in rules)
    elif likeliest:
        why = f"no rule is broken; of the faults learned it is most like: {likeliest} ({FAULTS[likeliest].what})"
    else:
        why = "no rule is broken"
    found: dict[str, Any] = {"why": why, "rules": rules} | ({"answer": likeliest} if likeliest else {})
    at_s = heard.get(evidence.tracks[row]["track_id"])
    return found if at_s is None else found | {"listen_s": at_s}


def _unknown(evidence: Evidence) -> list[str]:
    if len(evidence.tracks) and np.isnan(evidence.columns["fall_db"]).all():
        return ["falls, bursts, clicks, stutter, mains and edges: measured by an older version; run the pipeline again"]
    return []
