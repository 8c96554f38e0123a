"""Check "generated": was a track written by a decoder? Trained in each run on re-made excerpts of the catalog itself.

Conventions
-----------
- Evidence: the decoder artifacts of every track, from its native-rate waveform over its whole length
  (`catalog_artifacts`).
- A sample of the catalog is resynthesized by every family of `vocoders`, by the project's own decoder, and by the
  decoders that the user gives; `scores` learns from that and scores the catalog.
- Off unless asked for: it decodes every track once more.

What it cannot do stands in `screening.generated.scores`, and in figures in what it measures about itself in every run.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from audioae.audio.perturbations import ORIGINAL
from audioae.library.generation import Generation
from audioae.model.torchscript_decoder import WaveformDecoder
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.generated.artifacts import ABOUT, SECTION_S
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.detector import N_FOLDS
from audioae.screening.generated.examples import ResynthesisConfig, resynthesize
from audioae.screening.generated.scores import (
    MIN_BANDWIDTH_HZ,
    MIN_TRACKS,
    MISSED,
    THRESHOLD,
    GeneratedScores,
    can_learn,
    rules,
    score_tracks,
)
from audioae.screening.result import Screened

VERSIONS = tuple((ORIGINAL, name) for name in ("mp3 64 kb/s", "16 kHz and back", "noise 30 dB"))  # tracks in turn
_SHOWN = 20  # of what is no issue


class GeneratedConfig(ResynthesisConfig):
    """How much is measured of a track, how much is made again, and how many real tracks may be called generated.

    `sample_s` is the sum of the excerpts: 24 of 6 s, or 48 where tracks are so short that 3 s is taken. `decoders` are
    TorchScript files from waveform to waveform (`model.torchscript_decoder`), each a family of its own.
    """

    max_sections: int = Field(default=6, ge=1, le=1000)
    sample_s: float = Field(default=144.0, gt=0, le=1e6)
    false_positive_rate: float = Field(default=0.01, gt=0, lt=0.5)
    decoders: tuple[str, ...] = ()


def screen_generated(library: Generation, config: GeneratedConfig, workers: Workers, report: Progress) -> Screened:
    """Judge every track of the catalog that is not rejected and no exact duplicate.

    Raises
    ------
    ModelError
        If one of `config.decoders` cannot be loaded, before anything is decoded; or fails on a waveform.
    """
    decoders = load_decoders(config.decoders)
    ids, uris, group = eligible(library)
    residues, omitted = measure_artifacts(library, ids, config.max_sections, workers, report)
    sample = [(uris[row], str(group[row])) for row in choose_sample(residues, group, config)]
    if len(sample) < MIN_TRACKS or len({artist for _, artist in sample}) < N_FOLDS:
        return _no_answer(ids, sample, omitted)
    examples, failures = resynthesize(library, sample, decoders, VERSIONS, config, workers, report)
    omitted = (*omitted, *failures)
    if not can_learn(examples):
        return _no_answer(ids, sample, omitted)
    judged = score_tracks(examples, residues, group, config.false_positive_rate, config.seed)
    return _screened(ids, residues, judged, config, omitted)


def load_decoders(paths: Sequence[str]) -> dict[str, WaveformDecoder]:
    """The given decoders by family: the name of the file, or its path where several have that name."""
    stems = [Path(path).stem for path in paths]
    names = [stem if stems.count(stem) == 1 else path for path, stem in zip(paths, stems, strict=True)]
    return {f"given: {name}": WaveformDecoder(path) for path, name in zip(paths, names, strict=True)}


def eligible(library: Generation) -> tuple[np.ndarray, list[str], np.ndarray]:
    """track_id, uri and group (artist, or the track itself) of every track that is neither rejected nor a duplicate."""
    rejected = set(library.store.read(library.rejects_ref, ["track_id"])["track_id"].to_pylist())
    rows = library.tracks.select(["track_id", "uri", "artist", "duplicate_of"]).to_pylist()
    rows = [row for row in rows if not row["duplicate_of"] and row["track_id"] not in rejected]
    ids = np.array([row["track_id"] for row in rows], object)
    group = np.array([row["artist"] or row["track_id"] for row in rows], object)
    return ids, [row["uri"] for row in rows], group


def choose_sample(residues: np.ndarray, group: np.ndarray, config: GeneratedConfig) -> list[int]:
    """Rows to make again: with sound enough, by chance, artists in turn, until their excerpts add up."""
    usable = np.flatnonzero((residues[:, 1] >= MIN_BANDWIDTH_HZ) & ~np.isnan(residues[:, len(ABOUT) :]).all(axis=1))
    taken: Counter[str] = Counter()
    turns = []
    for row in np.random.default_rng(config.seed).permutation(usable).tolist():
        turns.append((taken[str(group[row])], len(turns), row))
        taken[str(group[row])] += 1
    rows = [row for _, _, row in sorted(turns)]
    lengths = np.where(residues[rows, 0] >= config.excerpt_s, config.excerpt_s, SECTION_S)
    return rows[: int(np.searchsorted(np.cumsum(lengths), config.sample_s)) + 1]


def _no_answer(ids: np.ndarray, sample: list[tuple[str, str]], omitted: tuple[str, ...]) -> Screened:
    n_artists = len({artist for _, artist in sample})
    why = (
        f"nothing can be said: {len(sample)} tracks of {n_artists} artists can be made again to learn from, wanted "
        f"{MIN_TRACKS} or more of {N_FOLDS} artists or more, with sound above {MIN_BANDWIDTH_HZ:,} Hz"
    )
    evidence = {row: {"answer": "cannot tell", "why": "too few tracks to learn from"} for row in range(len(ids))}
    score = np.full(len(ids), np.nan, np.float32)
    return Screened("generated", ids, score, THRESHOLD, evidence, omitted=(*omitted, why), settled=not omitted)


def _screened(
    ids: np.ndarray, residues: np.ndarray, judged: GeneratedScores, config: GeneratedConfig, omitted: tuple[str, ...]
) -> Screened:
    score = judged.score
    evidence: dict[int, dict[str, Any]] = {
        row: {"answer": "cannot tell", "why": why} for row, why in enumerate(judged.why_not) if why
    }
    lowest = np.argsort(np.where(np.isnan(score), 2.0, score))[: _SHOWN + int((score < THRESHOLD).sum())]
    for row in lowest[~np.isnan(score[lowest])].tolist():
        is_issue = bool(score[row] < THRESHOLD)
        evidence[row] = {
            "answer": "generated" if is_issue else "real",
            "why": _why(judged, row, is_issue, config.false_positive_rate),
            "rules": rules(judged, row, residues),
        }
    rate = judged.measured["false_positive_rate"]
    if rate is not None and rate > 2 * config.false_positive_rate:
        omitted = (
            *omitted,
            f"{rate:.1%} of the tracks are above a limit that was set for {config.false_positive_rate:.1%} of real "
            "ones: either so many are generated, or real ones differ more than the bulk of them shows",
        )
    return Screened("generated", ids, score, THRESHOLD, evidence, measured=judged.measured, omitted=omitted)


def _why(judged: GeneratedScores, row: int, is_issue: bool, rate: float) -> str:
    found = f"traces of a decoder ({judged.evidence[row]:.2f})"
    if is_issue:
        return f"more {found} than {1 - rate:.1%} of real tracks should have ({judged.limit:.2f})"
    return f"fewer {found} than {1 - MISSED:.0%} of the copies made of this catalog ({judged.real_limit:.2f})"
