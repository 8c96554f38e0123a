"""Check "generated": was a track written by a decoder? Trained in each run on re-made excerpts of the catalog itself.

Conventions
-----------
- Evidence is the residue of every track, from its native-rate waveform over its whole length (`stages.residues`).
- A sample of the catalog is made again by every family of `audio.vocoders`, by the project's own decoder, and by the
  decoders that the user gives; `apps.generated` learns from that and judges.
- Off unless asked for: it decodes every track once more.

What it cannot do stands in `apps.generated`, and in figures in what it measures about itself in every run.
"""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from audioae.apps.detector import N_FOLDS, Examples
from audioae.apps.findings import Screened
from audioae.apps.generated import MIN_BANDWIDTH_HZ, MIN_TRACKS, THRESHOLD, Judged, can_learn, judge_tracks, rules
from audioae.audio.perturb import ORIGINAL
from audioae.audio.residue import ABOUT, RESIDUE_NAMES
from audioae.audio.resynthesis import Excerpt, at_rate, read_excerpt, remade_residues
from audioae.audio.vocoders import FAMILIES
from audioae.audio.workers import imap_killable
from audioae.config import Config
from audioae.errors import AudioError
from audioae.model.decoding import WaveformDecoder
from audioae.stages.descriptions import Report
from audioae.stages.extraction import Workers
from audioae.stages.library import Library
from audioae.stages.residues import measure_residues

TRAINED_VERSIONS = ("mp3 64 kb/s", "16 kHz and back", "noise 30 dB")  # of each track one, besides the original
_SHOWN = 20  # of what is no issue
_PATIENCE = 5  # making a track again is some thirty times more work than decoding it


class GeneratedConfig(Config):
    """How much is measured of a track, how much is made again, and how many real tracks may be called generated.

    `decoders` are TorchScript files from waveform to waveform (`model.decoding`), each a family of its own.
    """

    max_sections: int = Field(default=6, ge=1, le=1000)
    sample_tracks: int = Field(default=24, ge=MIN_TRACKS, le=10_000)
    excerpt_s: float = Field(default=6.0, ge=3.0, le=60.0)
    false_positive_rate: float = Field(default=0.01, gt=0, lt=0.5)
    decoders: tuple[str, ...] = ()
    seed: int = 0


def screen_generated(library: Library, config: GeneratedConfig, workers: Workers, report: Report) -> Screened:
    """Judge every track of the catalog that is not rejected and no exact duplicate.

    Raises
    ------
    ModelError
        If one of `config.decoders` cannot be loaded or run; nothing was decoded then.
    """
    decoders = {f"given: {Path(path).stem}": WaveformDecoder(path) for path in config.decoders}
    rejected = library.store.read(library.rejects_ref, ["track_id"])["track_id"].to_pylist()
    tracks = library.tracks.filter(library.tracks["duplicate_of"].is_null())
    tracks = tracks.filter(pa.array(~np.isin(tracks["track_id"].to_numpy(), rejected), pa.bool_()))
    ids = tracks["track_id"].to_numpy()
    residues, omitted = measure_residues(library, ids, config.max_sections, workers, report)
    group = np.array([row["artist"] or row["track_id"] for row in tracks.select(["track_id", "artist"]).to_pylist()])
    rows = _sample(residues, group, config)
    uris = tracks["uri"].to_pylist()
    examples, failures = _examples(library, config, decoders, rows, uris, group, workers, report)
    if not can_learn(examples):
        why = (
            f"nothing can be said: {examples.n_tracks} tracks of {len(set(examples.group.tolist()))} artists can be made again, "
            f"wanted {MIN_TRACKS} or more of {N_FOLDS} artists or more, with sound above {MIN_BANDWIDTH_HZ:,} Hz"
        )
        evidence = {row: {"answer": "cannot tell", "why": "too few tracks to learn from"} for row in range(len(ids))}
        return Screened(
            "generated",
            ids,
            np.full(len(ids), np.nan, np.float32),
            THRESHOLD,
            evidence,
            omitted=(*omitted, *failures, why),
        )
    judged = judge_tracks(examples, residues, group, config.false_positive_rate, config.seed)
    return _screened(ids, residues, judged, config, (*omitted, *failures))


def _sample(residues: np.ndarray, group: np.ndarray, config: GeneratedConfig) -> list[int]:
    """Rows to make again: with sound enough, by chance, artists in turn."""
    usable = np.flatnonzero((residues[:, 1] >= MIN_BANDWIDTH_HZ) & ~np.isnan(residues[:, len(ABOUT) :]).all(axis=1))
    taken: dict[str, int] = {}
    turns = []
    for row in np.random.default_rng(config.seed).permutation(usable).tolist():
        turns.append((taken.get(group[row], 0), len(turns), row))
        taken[group[row]] = turns[-1][0] + 1
    return [row for _, _, row in sorted(turns)[: config.sample_tracks]]


def _examples(
    library: Library,
    config: GeneratedConfig,
    decoders: Mapping[str, WaveformDecoder],
    rows: list[int],
    uris: list[str],
    group: np.ndarray,
    workers: Workers,
    report: Report,
) -> tuple[Examples, tuple[str, ...]]:
    """Residues of excerpts, real and made again, in the versions of training; and a sentence on what failed."""
    read = ((row, (uris[row], config.excerpt_s)) for row in rows)
    excerpts, failed = {}, []
    for row, result in imap_killable(read_excerpt, read, workers=workers.n, timeout_s=workers.timeout_s):
        if isinstance(result, AudioError):
            failed.append(f"{uris[int(str(row))]}: {result}")
        else:
            excerpts[row] = result
    items = (
        (row, _remake(library, decoders, excerpt, TRAINED_VERSIONS[turn % len(TRAINED_VERSIONS)], config.seed))
        for turn, (row, excerpt) in enumerate(excerpts.items())
    )
    table: list[tuple[np.ndarray, int, str, str]] = []
    results = imap_killable(remade_residues, items, workers=workers.n, timeout_s=_PATIENCE * workers.timeout_s)
    for done, (row, result) in enumerate(results):
        if isinstance(result, AudioError):
            failed.append(f"{uris[int(str(row))]}: {result}")
        else:
            table += [(residue, int(str(row)), family, version) for family, version, residue in result]
        report("tracks made again", done + 1, len(excerpts))
    table = [example for example in table if not np.isnan(example[0][len(ABOUT) :]).all()]
    track = np.array([row for _, row, _, _ in table], int)
    examples = Examples(
        np.array([residue[len(ABOUT) :] for residue, _, _, _ in table]).reshape(-1, len(RESIDUE_NAMES) - len(ABOUT)),
        track,
        group[track],
        np.array([family for _, _, family, _ in table], object),
        np.array([version for _, _, _, version in table], object),
    )
    if not failed:
        return examples, ()
    return examples, (f"{len(failed)} of {len(rows)} tracks could not be made again; the first: {failed[0]}",)


def _remake(
    library: Library, decoders: Mapping[str, WaveformDecoder], excerpt: Excerpt, version: str, seed: int
) -> tuple[Any, ...]:
    """Arguments of `remade_residues`: what needs a net is made here, the rest by workers."""
    waveform, rate = excerpt.waveform, excerpt.sample_rate
    given = {}
    for family, decoder in decoders.items():
        wanted = decoder.sample_rate or rate
        made = decoder.remake(at_rate(waveform, rate, wanted))
        given[family] = at_rate(made, wanted, rate, len(waveform))
    mels = library.embedder.reconstruct(excerpt.codes)
    return excerpt, tuple(FAMILIES), mels, given, (ORIGINAL, version), seed


def _screened(
    ids: np.ndarray, residues: np.ndarray, judged: Judged, config: GeneratedConfig, omitted: tuple[str, ...]
) -> Screened:
    score = judged.score
    evidence: dict[int, dict[str, Any]] = {
        row: {"answer": "cannot tell", "why": why} for row, why in enumerate(judged.why_not) if why
    }
    lowest = np.argsort(np.where(np.isnan(score), 2.0, score))[: _SHOWN + int((score < THRESHOLD).sum())]
    for row in lowest[~np.isnan(score[lowest])].tolist():
        is_issue = bool(score[row] < THRESHOLD)
        limit = judged.limit if is_issue else judged.real_limit
        evidence[row] = {
            "answer": "generated" if is_issue else "real",
            "why": f"evidence {judged.evidence[row]:.2f}, {'above' if is_issue else 'below'} {limit:.2f}",
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
