"""The check corrupt: rules on the evidence of the catalog's one decode, and a classifier of faults.

Conventions
-----------
- Every decoded track is scored by evidence in the store. Only a sample is decoded again, to add faults to it.
- A score below 0.5 is an issue. A track that breaks a rule is always one. For the others, the classifier's limit is the
  fault score that all but `false_positive_rate` of the clean tracks stay below, by classifiers that were not trained on
  them, plus the same margin as for rules.
- `measured`: "types" has the AUROC of each fault, "seen" by classifiers trained on it and "left_out" by ones that were
  not; always on held-out tracks, with rules and classifier together. "false_positive_rate" is the share of tracks that
  break no rule and are flagged nevertheless, at a limit set by other tracks. "broken" is the share of the catalog that
  breaks a rule.

Why the sample is written and decoded instead of changed in memory: the evidence depends on the file, its encoder and
its rate.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.corrupt.classifier import (
    CLEAN,
    FEATURES,
    MAX_CLEAN,
    FaultClassifier,
    HeldOutScores,
    measure,
    number_groups,
    score_held_out,
    to_scores,
)
from audioae.screening.corrupt.config import CorruptConfig
from audioae.screening.corrupt.faults import FAULTS
from audioae.screening.corrupt.features import Evidence, Versions, make_versions, oddest_clips, read_evidence
from audioae.screening.corrupt.rules import MARGIN, broken_rules, rule_excess, rule_limits
from audioae.screening.result import Screened
from audioae.screening.steps import Steps

MIN_CLEAN = 16  # clean tracks that training needs
THRESHOLD = 0.5
N_SHOWN = 50  # lowest scores that get evidence although they are no issues
_MIN_LIMIT = 0.2  # of fault scores


def screen_corrupt(
    library: Generation, config: CorruptConfig, workers: Workers, progress: Progress, steps: Steps | None = None
) -> Screened:
    """Score every decoded track of a library.

    Returns
    -------
    Screened
        `evidence` has why, rules, listen_s (the start of the clip that differs most from the others) and, where the
        classifier was trained, `answer`, the most likely fault.
    """
    evidence = read_evidence(library)
    limits = rule_limits(evidence.columns, evidence.labels, config.percentile)
    excess = rule_excess(evidence.columns, limits)
    broken = excess.max(axis=1) > 0
    clean = np.flatnonzero(~broken)
    omitted = list(_missing_columns(evidence))
    versions = None
    if config.n_sample and len(clean) >= MIN_CLEAN:
        sample = np.random.default_rng(0).permutation(clean)[: config.n_sample]
        versions = make_versions(library, evidence, sample, config.n_faults, workers, progress, steps)
        omitted += versions.omitted
    elif config.n_sample:
        omitted.append(f"only rules are used: {len(clean)} clean tracks to train on, wanted at least {MIN_CLEAN}")
    score, faults, measured = np.ones(len(broken)), {}, {"broken": float(broken.mean())}
    trained = versions is not None and bool(set(versions.kinds) - {CLEAN})
    if versions is not None and trained:
        score, faults, measured = _classify(evidence, versions, limits, broken, config)
    score = _with_rules(score, excess).astype(np.float32)
    shown = np.flatnonzero(score < THRESHOLD).tolist()
    shown += [row for row in np.argsort(score, kind="stable")[:N_SHOWN].tolist() if row not in set(shown)]
    listen_s = oddest_clips(library, [evidence.tracks[row] for row in shown])
    return Screened(
        check="corrupt",
        track_ids=np.array([track["track_id"] for track in evidence.tracks], object),
        score=score,
        threshold=THRESHOLD,
        evidence={row: _explain(row, evidence, excess, limits, faults, listen_s) for row in shown},
        measured=measured,
        omitted=omitted,
        settled=trained or versions is None,
    )


def _classify(
    evidence: Evidence,
    versions: Versions,
    limits: Mapping[str, np.ndarray],
    broken: np.ndarray,
    config: CorruptConfig,
) -> tuple[np.ndarray, dict[int, str], dict[str, Any]]:
    """The classifier's scores of all tracks, the most likely fault of each, and how well it did on held-out tracks."""
    track_features, version_features = (
        np.stack([columns[name] for name in FEATURES], axis=1) for columns in (evidence.columns, versions.columns)
    )
    train = np.sort(np.random.default_rng(1).permutation(np.flatnonzero(~broken))[:MAX_CLEAN])
    artists, ids = ([track[name] for track in evidence.tracks] for name in ("artist", "track_id"))
    numbers = number_groups(artists, ids, ~broken)
    features = np.concatenate([track_features[train], version_features])
    kinds = np.concatenate([np.full(len(train), CLEAN, object), versions.kinds]).astype(str)
    groups = np.concatenate([numbers[train], numbers[versions.track]])
    faults = sorted(set(kinds) - {CLEAN})
    held_out = score_held_out(features, kinds, groups, leave_out=faults if config.leave_out else ())
    classifier = FaultClassifier(features, kinds)
    fault_score = classifier.fault_score(track_features)
    clean_scores = held_out.seen[: len(train)]
    fault_score[train] = clean_scores
    limit, spread = _limit(clean_scores, config), max(float(clean_scores.std()), 1e-3)
    score = to_scores(fault_score, limit, spread)
    most_likely = dict(enumerate(classifier.most_likely_fault(track_features)))
    excess = rule_excess(versions.columns, {name: values[versions.track] for name, values in limits.items()})
    excess = np.concatenate([np.full((len(train), excess.shape[1]), -np.inf), excess])

    def issue_level(values: np.ndarray) -> np.ndarray:
        return 1.0 - _with_rules(to_scores(values, limit, spread), excess)

    with_rules = HeldOutScores(
        issue_level(held_out.seen), {kind: issue_level(v) for kind, v in held_out.left_out.items()}
    )
    types = measure(with_rules, kinds, kinds == CLEAN)
    measured: dict[str, Any] = {"types": types}
    for side in ("seen", "left_out"):
        values = [row[side] for row in types.values() if side in row]
        measured |= {side: float(np.mean(values))} if values else {}
    measured["false_positive_rate"] = _false_positive_rate(clean_scores, numbers[train], config)
    return score, most_likely, measured | {"broken": float(broken.mean()), "n_versions": len(versions.kinds)}


def _limit(clean_scores: np.ndarray, config: CorruptConfig) -> float:
    middle, far = np.quantile(clean_scores, [0.5, 1 - config.false_positive_rate])
    return max(float(far + MARGIN * (far - middle)), _MIN_LIMIT)


def _false_positive_rate(clean_scores: np.ndarray, groups: np.ndarray, config: CorruptConfig) -> float:
    """Cross-validated: each tenth of the groups is compared with the limit that the others set."""
    n_flagged = 0
    for fold in range(10):
        test = groups % 10 == fold
        if test.any() and not test.all():
            n_flagged += int((clean_scores[test] > _limit(clean_scores[~test], config)).sum())
    return n_flagged / len(clean_scores)


def _with_rules(score: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """A broken rule puts a track below the threshold: the larger the excess, the lower the score."""
    worst = np.maximum(excess.max(axis=1), 0)
    return np.where(worst > 0, np.minimum(score, 0.9 * THRESHOLD / (1 + worst)), score)


def _explain(
    row: int,
    evidence: Evidence,
    excess: np.ndarray,
    limits: Mapping[str, np.ndarray],
    faults: Mapping[int, str],
    listen_s: Mapping[str, float],
) -> dict[str, Any]:
    rules = broken_rules(excess, row, evidence.columns, limits)
    fault = faults.get(row)
    if rules:
        why = "; ".join(str(rule.pop("why")) for rule in rules)
    elif fault:
        why = f"breaks no rule; the most similar fault is {fault} ({FAULTS[fault].what})"
    else:
        why = "breaks no rule"
    entry: dict[str, Any] = {"why": why, "rules": rules} | ({"answer": fault} if fault else {})
    start_s = listen_s.get(evidence.tracks[row]["track_id"])
    return entry if start_s is None else entry | {"listen_s": start_s}


def _missing_columns(evidence: Evidence) -> list[str]:
    if len(evidence.tracks) and np.isnan(evidence.columns["fall_db"]).all():
        return [
            "sudden silence, bursts, clicks, stutter, hum and lost treble are not checked: the catalog was decoded by "
            "an older version; run the pipeline again"
        ]
    return []
