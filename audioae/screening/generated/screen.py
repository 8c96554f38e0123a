"""The check generated: was a track written by a decoder? Trained in each run on resynthesized excerpts of the catalog.

Conventions
-----------
- Evidence: the decoder artifacts of every track, from its native-rate waveform over its whole length
  (`catalog_artifacts`).
- A sample of the catalog is resynthesized by every family of `vocoders`, by the project's own decoder, and by the
  decoders that the user gives. `scores` trains on these examples and scores the catalog.
- Off by default: it decodes every track once more.

Limits: see `scores`, and the figures that every run measures about itself.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audioae.audio.perturbations import ORIGINAL
from audioae.catalog.paths import path_of
from audioae.library.generation import Generation
from audioae.model.torchscript_decoder import WaveformDecoder
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.generated.artifacts import EXTENT, SECTION_S
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.config import GeneratedConfig
from audioae.screening.generated.detector import N_FOLDS
from audioae.screening.generated.examples import resynthesize
from audioae.screening.generated.scores import (
    MIN_BANDWIDTH_HZ,
    MIN_TRACKS,
    MISSED,
    THRESHOLD,
    GeneratedScores,
    can_train,
    score_tracks,
    top_features,
)
from audioae.screening.result import Screened
from audioae.screening.steps import Steps
from audioae.screening.text import count, percent

CHECK = "generated"
VERSIONS = tuple((ORIGINAL, name) for name in ("mp3 64 kb/s", "16 kHz and back", "noise 30 dB"))  # tracks in turn
_N_SHOWN = 20  # lowest scores that get evidence although they are no issues


def screen_generated(
    library: Generation, config: GeneratedConfig, workers: Workers, progress: Progress, steps: Steps | None = None
) -> Screened:
    """Score every track of the catalog that is neither rejected nor an exact duplicate.

    Raises
    ------
    ModelError
        If one of `config.decoders` cannot be loaded (before anything is decoded), or fails on a waveform.
    """
    decoders = load_decoders(config.decoders)
    ids, paths, group = eligible(library)
    artifacts, omitted = measure_artifacts(library, ids, config.max_sections, workers, progress)
    sample = [(paths[row], str(group[row])) for row in choose_sample(artifacts, group, config)]
    if len(sample) < MIN_TRACKS or len({artist for _, artist in sample}) < N_FOLDS:
        return _no_answers(ids, sample, omitted)
    examples, failures = resynthesize(library, sample, decoders, VERSIONS, config, workers, progress, steps)
    omitted = (*omitted, *failures)
    if not can_train(examples):
        return _no_answers(ids, sample, omitted)
    scores = score_tracks(examples, artifacts, group, config.false_positive_rate, config.seed)
    return _screened(ids, artifacts, scores, config, omitted)


def load_decoders(paths: Sequence[str]) -> dict[str, WaveformDecoder]:
    """The user's decoders by family: the name of the file, or its path if several files have that name."""
    stems = [Path(path).stem for path in paths]
    names = [stem if stems.count(stem) == 1 else path for path, stem in zip(paths, stems, strict=True)]
    return {f"given: {name}": WaveformDecoder(path) for path, name in zip(paths, names, strict=True)}


def eligible(library: Generation) -> tuple[np.ndarray, list[str], np.ndarray]:
    """track_id, path and group (the artist, or the track itself) of the tracks that are neither rejected nor copies."""
    rejected = set(library.store.read(library.rejects_ref, ["track_id"])["track_id"].to_pylist())
    rows = library.tracks.select(["track_id", "uri", "path_bytes", "artist", "duplicate_of"]).to_pylist()
    rows = [row for row in rows if not row["duplicate_of"] and row["track_id"] not in rejected]
    ids = np.array([row["track_id"] for row in rows], object)
    group = np.array([row["artist"] or row["track_id"] for row in rows], object)
    return ids, [path_of(row) for row in rows], group


def choose_sample(artifacts: np.ndarray, group: np.ndarray, config: GeneratedConfig) -> list[int]:
    """Rows of tracks to resynthesize: random ones with enough sound, artists in turn, until the excerpts add up."""
    usable = np.flatnonzero((artifacts[:, 1] >= MIN_BANDWIDTH_HZ) & ~np.isnan(artifacts[:, len(EXTENT) :]).all(axis=1))
    n_of_artist: Counter[str] = Counter()
    turns = []
    for row in np.random.default_rng(config.seed).permutation(usable).tolist():
        turns.append((n_of_artist[str(group[row])], len(turns), row))
        n_of_artist[str(group[row])] += 1
    rows = [row for _, _, row in sorted(turns)]
    lengths = np.where(artifacts[rows, 0] >= config.excerpt_s, config.excerpt_s, SECTION_S)
    return rows[: int(np.searchsorted(np.cumsum(lengths), config.sample_s)) + 1]


def _no_answers(ids: np.ndarray, sample: list[tuple[str, str]], omitted: tuple[str, ...]) -> Screened:
    n_artists = len({artist for _, artist in sample})
    reason = (
        f"the check cannot tell for any track: {count(len(sample), 'track')} of {count(n_artists, 'artist')} can be "
        f"resynthesized to train on; it needs {MIN_TRACKS} tracks of {N_FOLDS} artists, with sound up to "
        f"{MIN_BANDWIDTH_HZ:,} Hz"
    )
    evidence = {row: {"answer": "cannot tell", "why": "too few tracks to train on"} for row in range(len(ids))}
    score = np.full(len(ids), np.nan, np.float32)
    return Screened(CHECK, ids, score, THRESHOLD, evidence, omitted=(*omitted, reason), settled=not omitted)


def _screened(
    ids: np.ndarray, artifacts: np.ndarray, scores: GeneratedScores, config: GeneratedConfig, omitted: tuple[str, ...]
) -> Screened:
    score = scores.score
    evidence: dict[int, dict[str, Any]] = {
        row: {"answer": "cannot tell", "why": reason} for row, reason in enumerate(scores.cannot_tell) if reason
    }
    lowest = np.argsort(np.where(np.isnan(score), 2.0, score))[: _N_SHOWN + int((score < THRESHOLD).sum())]
    for row in lowest[~np.isnan(score[lowest])].tolist():
        is_issue = bool(score[row] < THRESHOLD)
        evidence[row] = {
            "answer": "generated" if is_issue else "real",
            "why": _why(scores, row, is_issue, config.false_positive_rate),
            "rules": top_features(scores, row, artifacts),
        }
    rate = scores.measured["false_positive_rate"]
    if rate is not None and rate > 2 * config.false_positive_rate:
        warning = (
            f"{percent(rate)} of the tracks are above a limit that only {percent(config.false_positive_rate)} of real "
            "tracks should exceed: either that many are generated, or real tracks differ more than most of them suggest"
        )
        omitted = (*omitted, warning)
    return Screened(CHECK, ids, score, THRESHOLD, evidence, measured=scores.measured, omitted=omitted)


def _why(scores: GeneratedScores, row: int, is_issue: bool, rate: float) -> str:
    odds = f"log odds of a decoder {scores.log_odds[row]:.2f}"
    if is_issue:
        return f"{odds}: above {scores.limit:.2f}, which {percent(1 - rate)} of real tracks should stay below"
    copies = f"{percent(1 - MISSED)} of this catalog's resynthesized copies"
    return f"{odds}: below {scores.real_limit:.2f}, which {copies} exceed"
