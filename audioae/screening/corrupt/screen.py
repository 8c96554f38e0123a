"""The check corrupt: rules on the evidence of the catalog's one decode, and a classifier of faults.

Conventions
-----------
- Every decoded track is scored by evidence in the store. Only a sample is decoded again, to add faults to it.
- Of more than `max_tracks` tracks, a random sample says what is normal: the limits of the rules and the clean tracks of
  the classifier are its own. All tracks are scored, shard by shard.
- A score below 0.5 is an issue. A track that breaks a rule is always one. For the others, the classifier's limit is the
  fault score that all but `false_positive_rate` of the clean tracks stay below, by classifiers that were not trained on
  them, plus the same margin as for rules.
- Of long tracks, whose clips are all that is examined, a sample is decoded from end to end (`between_clips.py`).
- `measured`: "types" has the AUROC of each fault, "seen" by classifiers trained on it and "left_out" by ones that were
  not; always on held-out tracks, with rules and classifier together. "false_positive_rate" is the share of tracks that
  break no rule and are flagged nevertheless, at a limit set by other tracks. "broken" is the share of the catalog that
  breaks a rule.

Why the sample is written and decoded instead of changed in memory: the evidence depends on the file, its encoder and
its rate.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.corrupt.between_clips import HiddenFault, examine_long_tracks
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
from audioae.screening.corrupt.features import (
    Evidence,
    Versions,
    iter_evidence,
    make_versions,
    oddest_clips,
    read_evidence,
    sample_evidence,
)
from audioae.screening.corrupt.rules import MARGIN, RuleLimits, broken_rules, rule_excess
from audioae.screening.result import EvidenceOf, Screened
from audioae.screening.steps import Steps
from audioae.screening.text import count

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
    n_tracks = library.store.manifest(library.embeddings_ref).rows
    if n_tracks <= config.max_tracks:
        known = read_evidence(library)
        places, blocks, omitted = np.arange(len(known)), [known], []
    else:
        known, places = sample_evidence(library, config.max_tracks)
        sampled = f"{len(known):,} of {count(n_tracks, 'track')}"
        blocks = iter_evidence(library)
        omitted = [f"what is normal is learned on a random sample of {sampled}; all are scored"]
    omitted += _missing_columns(known)
    limits = RuleLimits(known.columns, known.labels, config.percentile)
    excess = rule_excess(known.columns, limits.of(known.labels))
    clean = np.flatnonzero(~(excess.max(axis=1) > 0))
    versions = None
    if config.n_sample and len(clean) >= MIN_CLEAN:
        sample = np.random.default_rng(0).permutation(clean)[: config.n_sample]
        versions = make_versions(library, known, sample, config.n_faults, workers, progress, steps)
        omitted += versions.omitted
    elif config.n_sample:
        omitted.append(f"only rules are used: {len(clean)} clean tracks to train on, wanted at least {MIN_CLEAN}")
    trained, measured = None, {}
    if versions is not None and set(versions.kinds) - {CLEAN}:
        trained, measured = _train(known, places, versions, limits, clean, config)
    long = examine_long_tracks(known, limits, config.n_long, workers, progress, steps)
    omitted += long.omitted
    hidden = {int(places[row]): fault for row, fault in long.faults.items()}
    scored = _score(blocks, limits, trained, hidden)
    explain, listed = _evidence_of(library, scored, limits, trained, hidden)
    return Screened(
        check="corrupt",
        track_ids=scored.track_ids,
        score=scored.score,
        threshold=THRESHOLD,
        evidence=EvidenceOf(listed, explain),
        measured=measured | long.measured | {"broken": scored.n_broken / max(len(scored.score), 1)},
        omitted=omitted,
        settled=(trained is not None or versions is None) and long.settled,
    )


class _Trained(NamedTuple):
    """The classifier, the limit and the spread of its scores, and the held-out scores of the tracks that it was trained
    on, which are at `places`."""

    classifier: FaultClassifier
    limit: float
    spread: float
    places: np.ndarray
    held_out: np.ndarray

    def score(self, features: np.ndarray, start: int) -> np.ndarray:
        """Scores without rules of the tracks from place `start` on."""
        fault_score = self.classifier.fault_score(features)
        first, last = np.searchsorted(self.places, (start, start + len(features)))
        fault_score[self.places[first:last] - start] = self.held_out[first:last]
        return to_scores(fault_score, self.limit, self.spread)


class _Scored(NamedTuple):
    """All tracks, their scores, how many break a rule, and the evidence of those that are shown, at `rows`."""

    track_ids: pa.StringArray
    score: np.ndarray
    n_broken: int
    rows: np.ndarray
    shown: Evidence


def _score(
    blocks: Iterable[Evidence], limits: RuleLimits, trained: _Trained | None, hidden: Mapping[int, HiddenFault]
) -> _Scored:
    """Score all tracks block by block; some have a fault that their clips do not show."""
    ids, scores, rows, shown = [pa.array([], pa.string())], [np.empty(0, np.float32)], [], []
    start = n_broken = 0
    for block in blocks:
        excess = rule_excess(block.columns, limits.of(block.labels))
        score = trained.score(_features(block.columns), start) if trained and len(block) else np.ones(len(block))
        between = np.full((len(block), 1), -np.inf)
        for row, fault in hidden.items():
            if start <= row < start + len(block):
                between[row - start] = fault.excess
        score = _with_rules(score, np.hstack([excess, between])).astype(np.float32)
        n_broken += int((excess.max(axis=1) > 0).sum())
        listed = _listed(score)
        ids.append(block.tracks["track_id"].combine_chunks())
        scores.append(score)
        rows.append(listed + start)
        shown.append(block.take(listed))
        start += len(block)
    score, rows = np.concatenate(scores), np.concatenate([np.empty(0, np.int64), *rows])
    kept = np.flatnonzero(np.isin(rows, _listed(score)))
    return _Scored(pa.concat_arrays(ids), score, n_broken, rows[kept], Evidence.concat(shown).take(kept))


def _listed(score: np.ndarray) -> np.ndarray:
    """The issues, and the lowest scores that are none; ascending."""
    return np.union1d(np.flatnonzero(score < THRESHOLD), np.argsort(score, kind="stable")[:N_SHOWN])


def _features(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([columns[name] for name in FEATURES], axis=1)


def _train(
    known: Evidence,
    places: np.ndarray,
    versions: Versions,
    limits: RuleLimits,
    clean: np.ndarray,
    config: CorruptConfig,
) -> tuple[_Trained, dict[str, Any]]:
    """The classifier, trained on the rows `clean` and on versions with a fault, and how well it does when held out."""
    train = np.sort(np.random.default_rng(1).permutation(clean)[:MAX_CLEAN])
    artists, ids = (known.tracks[name].to_pylist() for name in ("artist", "track_id"))
    is_clean = np.zeros(len(known), bool)
    is_clean[clean] = True
    numbers = number_groups(artists, ids, is_clean)
    features = np.concatenate([_features(known.columns)[train], _features(versions.columns)])
    kinds = np.concatenate([np.full(len(train), CLEAN, object), versions.kinds]).astype(str)
    groups = np.concatenate([numbers[train], numbers[versions.track]])
    faults = sorted(set(kinds) - {CLEAN})
    held_out = score_held_out(features, kinds, groups, leave_out=faults if config.leave_out else ())
    clean_scores = held_out.seen[: len(train)]
    limit, spread = _limit(clean_scores, config), max(float(clean_scores.std()), 1e-3)
    of_versions = limits.of(known.labels.take(pa.array(versions.track)))
    excess = rule_excess(versions.columns, of_versions)
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
    trained = _Trained(FaultClassifier(features, kinds), limit, spread, places[train], clean_scores)
    return trained, measured | {"n_versions": len(versions.kinds)}


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


def _evidence_of(
    library: Generation,
    scored: _Scored,
    limits: RuleLimits,
    trained: _Trained | None,
    hidden: Mapping[int, HiddenFault],
) -> tuple[Callable[[int], dict[str, Any]], np.ndarray]:
    """What a row's evidence is, and the rows that have any."""
    shown, rows = scored.shown, scored.rows
    of_shown = limits.of(shown.labels)
    excess = rule_excess(shown.columns, of_shown)
    faults = trained.classifier.most_likely_fault(_features(shown.columns)) if trained and len(rows) else None
    worst = np.argsort(scored.score[rows], kind="stable")
    ids, shards = shown.tracks["track_id"], shown.tracks["shard"]
    listen_s = oddest_clips(library, [{"track_id": ids[i].as_py(), "shard": shards[i].as_py()} for i in worst.tolist()])

    def explain(row: int) -> dict[str, Any]:
        i = int(np.searchsorted(rows, row))
        rules = broken_rules(excess, i, shown.columns, of_shown)
        fault = faults[i] if faults else None
        sentences = [str(rule.pop("why")) for rule in rules]
        start_s = listen_s.get(ids[i].as_py())
        if row in hidden:
            sentences.append(hidden[row].why)
            rules = [*rules, *hidden[row].rules]
            start_s = hidden[row].listen_s if hidden[row].rules else start_s
        if sentences:
            why = "; ".join(sentences)
        elif fault:
            why = f"breaks no rule; the most similar fault is {fault} ({FAULTS[fault].what})"
        else:
            why = "breaks no rule"
        entry: dict[str, Any] = {"why": why, "rules": rules} | ({"answer": fault} if fault else {})
        return entry if start_s is None else entry | {"listen_s": start_s}

    return explain, rows


def _missing_columns(evidence: Evidence) -> list[str]:
    """What older versions of audioae did not measure; of less than 0.1 s nobody measures clicks."""
    if len(evidence) and np.isnan(evidence.columns["fall_db"]).all():
        return [
            "sudden silence, bursts, clicks, stutter, hum and lost treble are not checked: the catalog was decoded by "
            "an older version; run the pipeline again"
        ]
    is_old = np.isnan(evidence.columns["spike_db"]) & (evidence.columns["examined_s"] > 0.1)
    if not is_old.any():
        return []
    tracks = f"{int(is_old.sum()):,} of {count(len(evidence), 'track')}"
    return [f"clicks, repeated buffers and tuning are known less well of {tracks}, which an older version decoded"]
