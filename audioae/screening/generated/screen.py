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

# pyright: reportAttributeAccessIssue=false

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.audio.perturbations import ORIGINAL
from audioae.catalog.paths import path_of
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.generated.artifacts import EXTENT, SECTION_S
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.config import GeneratedConfig
from audioae.screening.generated.detector import N_FOLDS
from audioae.screening.generated.examples import resynthesize
from audioae.screening.generated.given_decoders import load_decoders
from audioae.screening.generated.scores import (
    MIN_BANDWIDTH_HZ,
    MIN_TRACKS,
    MISSED,
    THRESHOLD,
    GeneratedScores,
    UsualValues,
    can_train,
    score_tracks,
    top_features,
)
from audioae.screening.generated.world import require_world
from audioae.screening.result import EvidenceOf, Screened
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
        If one of `config.decoders` cannot be loaded (before anything is decoded), or fails on a track.
    """
    decoders = load_decoders(config.files)
    if config.vocoders:
        require_world()
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


class Paths(Sequence[str]):
    """The paths of some rows of the catalog, made when they are asked for."""

    def __init__(self, tracks: pa.Table, rows: np.ndarray):
        self._columns, self._rows = tracks.select(["uri", "path_bytes"]), rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Any) -> Any:
        row = int(self._rows[at])
        return path_of({name: self._columns[name][row].as_py() for name in self._columns.column_names})


def eligible(library: Generation) -> tuple[pa.StringArray, Paths, np.ndarray]:
    """track_id, path and group (the artist, or the track itself) of the tracks that are neither rejected nor copies."""
    tracks, kept = library.tracks, np.array(library.tracks["duplicate_of"].is_null())
    for part in library.store.iter_parts(library.rejects_ref, ["track_id"]):
        rows = library.columns.ids.rows_of(part["track_id"].combine_chunks())
        kept[rows[rows >= 0]] = False
    rows = np.flatnonzero(kept)
    ids = tracks["track_id"].take(pa.array(rows)).combine_chunks()
    artists = tracks["artist"].take(pa.array(rows)).combine_chunks()
    known = pc.fill_null(pc.not_equal(artists, ""), False)
    groups = pc.if_else(known, artists, ids).dictionary_encode()  # an artist is one Python string
    names = np.array([*groups.dictionary.to_pylist(), ""], object)
    return ids, Paths(tracks, rows), names[groups.indices.to_numpy()]


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


def _no_answers(ids: pa.StringArray, sample: list[tuple[str, str]], omitted: tuple[str, ...]) -> Screened:
    n_artists = len({artist for _, artist in sample})
    reason = (
        f"the check cannot tell for any track: {count(len(sample), 'track')} of {count(n_artists, 'artist')} can be "
        f"resynthesized to train on; it needs {MIN_TRACKS} tracks of {N_FOLDS} artists, with sound up to "
        f"{MIN_BANDWIDTH_HZ:,} Hz"
    )
    unknown = {"answer": "cannot tell", "why": "too few tracks to train on"}
    evidence = EvidenceOf(np.arange(len(ids)), lambda _: unknown)
    score = np.full(len(ids), np.nan, np.float32)
    return Screened(CHECK, ids, score, THRESHOLD, evidence, omitted=(*omitted, reason), settled=not omitted)


def _screened(
    ids: pa.StringArray,
    artifacts: np.ndarray,
    scores: GeneratedScores,
    config: GeneratedConfig,
    omitted: tuple[str, ...],
) -> Screened:
    score = scores.score
    lowest = np.argsort(np.where(np.isnan(score), 2.0, score))[: _N_SHOWN + int((score < THRESHOLD).sum())]
    listed = np.concatenate([np.flatnonzero(scores.cannot_tell.mask), lowest[~np.isnan(score[lowest])]])
    usual = UsualValues(artifacts)

    def explain(row: int) -> dict[str, Any]:
        if np.isnan(score[row]):
            return {"answer": "cannot tell", "why": scores.cannot_tell[row]}
        is_issue = bool(score[row] < THRESHOLD)
        return {
            "answer": "generated" if is_issue else "real",
            "why": _why(scores, row, is_issue, config.false_positive_rate),
            "rules": top_features(scores, row, artifacts, usual),
        }

    rate = scores.measured["false_positive_rate"]
    if rate is not None and rate > 2 * config.false_positive_rate:
        warning = (
            f"{percent(rate)} of the tracks are above a limit that only {percent(config.false_positive_rate)} of real "
            "tracks should exceed: either that many are generated, or real tracks differ more than most of them suggest"
        )
        omitted = (*omitted, warning)
    return Screened(
        CHECK, ids, score, THRESHOLD, EvidenceOf(listed, explain), measured=scores.measured, omitted=omitted
    )


def _why(scores: GeneratedScores, row: int, is_issue: bool, rate: float) -> str:
    odds = f"log odds of a decoder {scores.log_odds[row]:.2f}"
    if is_issue:
        return f"{odds}: above {scores.limit:.2f}, which {percent(1 - rate)} of real tracks should stay below"
    copies = f"{percent(1 - MISSED)} of this catalog's resynthesized copies"
    return f"{odds}: below {scores.real_limit:.2f}, which {copies} exceed"
