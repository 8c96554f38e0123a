"""Measure cold start: tracks are hidden from a play log, and recommended to those who played them.

Conventions
-----------
- The log is the user's own, or made up from truth about the catalog (`recommend.simulated_plays`).
- The tracks are cut into `ROUNDS` parts; in each round one part is new: all its plays are hidden. Where plays have
  dates, the newest `FUTURE` of them are what is to be found, and only those before are learned from.
- Twice: with tracks cut at random (other tracks of their artists are known), and with artists cut (none is).
- What is compared sees the same plays: the store's embeddings with names (what `recommend` does) and alone, vectors
  from files and MFCC statistics by the same method, and baselines that know no sound.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import EvaluationError, StoreError
from audioae.library.duplicates import known_copies, rows_with_copies
from audioae.library.generation import Generation
from audioae.library.stored_clips import read_clips
from audioae.library.track_metadata import check_vectors
from audioae.library.track_vectors import OWN, TrackVectors, take, vectors_from_store, with_targets
from audioae.library.truth import read_styles, read_truth
from audioae.library.vector_files import align_vectors, read_table
from audioae.metrics.baselines import mfcc_statistics
from audioae.metrics.document import compare_answers
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.recommend.cf_regression import HeldOut
from audioae.recommend.item_features import item_features
from audioae.recommend.metrics import Round, baseline_scores, measure
from audioae.recommend.play_log import Plays, read_plays
from audioae.recommend.recommender import HALF_LIFE_DAYS
from audioae.recommend.scorer import ColdStartScorer
from audioae.recommend.simulated_plays import YEAR, simulate_plays

ROUNDS = 3
FUTURE = 0.3
K = 10
AND_NAMES = "and names"  # artist and label, as `audioae recommend` goes by
RECOMMENDER = f"{OWN} {AND_NAMES}"
SPLITS = {"tracks": "new tracks, artists may be known", "artists": "new tracks by new artists"}


def measure_coldstart(
    library: Generation,
    *,
    truth: str | None = None,
    plays: str | None = None,
    against: Sequence[str] = (),
    n_listeners: int = 300,
    seed: int = 0,
    workers: Workers | None = None,
    report: Progress | None = None,
) -> dict[str, Any]:
    """How well new tracks are recommended, beside baselines, as a document.

    Parameters
    ----------
    truth : str, optional
        CSV or Parquet with track_id or path, true_label or label, and numbers (tempo, energy ...): what the simulated
        listeners' tastes are drawn from. Or
    plays : str, optional
        A play log to measure on.
    against : sequence of str
        Files of vectors of the same tracks, to compare with.

    Raises
    ------
    EvaluationError
        If not exactly one of `truth` and `plays` is given, or too little can be hidden and found.
    """
    if (truth is None) == (plays is None):
        raise EvaluationError("cold start is measured on a play log or on a simulated one: give either plays or truth")
    subject = vectors_from_store(library.store, library.embeddings_ref)
    subject, others, omitted = align_vectors(subject, against)
    keepers = known_copies(library.store, library.embeddings_ref).keepers
    if truth is not None:
        rows = np.flatnonzero(read_styles(truth, subject) != "")
        if len(rows) < subject.metadata.n:
            omitted.append(f"{subject.metadata.n - len(rows)} tracks without truth are left out")
        subject, others = _rows(subject, others, rows)
        subject, others = _rows(subject, others, _one_each(subject, keepers, omitted))
        log, popularity = _simulated(truth, subject, n_listeners, seed)
    else:
        subject, others = _rows(subject, others, _one_each(subject, keepers, omitted))
        known = rows_with_copies(library.tracks, subject.metadata.ids.tolist(), keepers)
        log = read_plays(read_table(str(plays)), known, str(plays))
        popularity = np.bincount(log.track, log.weight, minlength=subject.metadata.n)
        omitted += _lost(log)
    metadata = subject.metadata
    sounds = {OWN: subject.vectors, **others, "MFCC": _mfcc(library, subject, workers or Workers(), report)}
    vectors = {
        f"{name} {AND_NAMES}": item_features(own, metadata.artists, metadata.labels) for name, own in sounds.items()
    }
    vectors |= {f"{name}, sound alone": own for name, own in sounds.items()}
    splits = {}
    for split, title in SPLITS.items():
        rounds = _cut(split, subject, seed)
        if rounds is None:
            omitted.append(f"{title}: fewer than {ROUNDS} artists are known")
            continue
        answers, held_out = _ask(log, subject, vectors, rounds, popularity, report)
        splits[split] = {"title": title, "metrics": compare_answers(answers), "regression": held_out}
    return {
        "subject": str(library.embeddings_ref),
        "n_tracks": subject.metadata.n,
        "n_listeners": len(log.listeners),
        "n_plays": len(log.track),
        "log": f"simulated from {truth}, seed {seed}" if truth else plays,
        "k": K,
        "splits": splits,
        "omitted": list(dict.fromkeys(omitted)),
    }


def _rows(
    subject: TrackVectors, others: Mapping[str, np.ndarray], rows: np.ndarray
) -> tuple[TrackVectors, dict[str, np.ndarray]]:
    return take(subject, rows), {name: vectors[rows] for name, vectors in others.items()}


def _one_each(subject: TrackVectors, keepers: Mapping[str, str], omitted: list[str]) -> np.ndarray:
    """Rows of one track per recording: none is hidden as long as a copy of it is known."""
    recordings = [keepers.get(str(track_id), str(track_id)) for track_id in subject.metadata.ids]
    rows = np.sort(np.unique(recordings, return_index=True)[1])
    if len(rows) < len(recordings):
        omitted.append(f"{len(recordings) - len(rows)} copies of other tracks are left out")
    return rows


def write_simulated(library: Generation, truth: str, out: str, *, n_listeners: int = 300, seed: int = 0) -> int:
    """Write a simulated play log (Parquet: listener_id, track_id, played_at), to try things on; returns its plays.

    Raises
    ------
    EvaluationError
        If the truth does not fit the catalog.
    StoreError
        If `out` cannot be written.
    """
    subject = vectors_from_store(library.store, library.embeddings_ref)
    subject = take(subject, np.flatnonzero(read_styles(truth, subject) != ""))
    log, _ = _simulated(truth, subject, n_listeners, seed)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.table(
        {
            "listener_id": log.listeners[log.listener].tolist(),
            "track_id": subject.metadata.ids[log.track].tolist(),
            "played_at": [now - timedelta(days=float(age)) for age in log.age_days],
        }
    )
    try:
        pq.write_table(table, out)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error}); name a file in a folder that exists") from error
    return table.num_rows


def _simulated(truth: str, subject: TrackVectors, n_listeners: int, seed: int) -> tuple[Plays, np.ndarray]:
    """A simulated log, and each track's popularity."""
    targets, _ = read_truth(truth, subject)
    metadata = with_targets(subject, targets).metadata
    numbers = [target.values for target in metadata.targets.values()]
    artists = np.where(metadata.artists == "", metadata.ids, metadata.artists).astype(str)
    made = simulate_plays(read_styles(truth, subject), artists, numbers, n_listeners=n_listeners, seed=seed)
    width = len(str(n_listeners - 1))
    listeners = np.array([f"listener{i:0{width}d}" for i in range(n_listeners)])
    return Plays(listeners, made.listener, made.track, np.ones(len(made.track)), made.age_days), made.popularity


def _lost(log: Plays) -> list[str]:
    found = []
    if log.unknown_plays:
        found.append(f"{log.unknown_plays} plays of tracks without an embedding, or that not all files have")
    if log.lost_listeners:
        found.append(f"{log.lost_listeners} listeners who played nothing else")
    return found


def _mfcc(library: Generation, subject: TrackVectors, workers: Workers, report: Progress | None) -> np.ndarray:
    clips = read_clips(library, subject, workers, report or (lambda what, done, total: None))
    found = mfcc_statistics(clips.codes, clips.peak_db, clips.track)
    scaled = (found - found.mean(axis=0)) / np.maximum(found.std(axis=0), 1e-9)
    return check_vectors(scaled, subject.metadata.ids, "MFCC")


def _cut(split: str, subject: TrackVectors, seed: int) -> list[np.ndarray] | None:
    """The new rows of each round; None if there are too few artists to cut."""
    groups = subject.metadata.groups if split == "artists" else np.arange(subject.metadata.n)
    n_groups = groups.max() + 1
    if n_groups < ROUNDS or (split == "artists" and n_groups == subject.metadata.n):
        return None
    part = (np.random.default_rng(seed).permutation(n_groups) % ROUNDS)[groups]
    return [np.flatnonzero(part == i) for i in range(ROUNDS)]


def _ask(
    log: Plays,
    subject: TrackVectors,
    vectors: Mapping[str, np.ndarray],
    rounds: Sequence[np.ndarray],
    popularity: np.ndarray,
    report: Progress | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every method's answers over all rounds; and how well collaborative vectors were estimated, in the first."""
    metadata = subject.metadata
    dated = log.age_days.max() > 0
    cutoff = float(np.quantile(log.age_days, FUTURE)) if dated else 0.0
    is_past = log.age_days > cutoff if dated else np.ones(len(log.track), bool)
    is_future = ~is_past if dated else np.ones(len(log.track), bool)
    known = [is_past & ~np.isin(log.track, new) for new in rounds]
    everybody = np.flatnonzero(
        np.all([np.bincount(log.listener[kept], minlength=len(log.listeners)) > 0 for kept in known], axis=0)
    )
    if not len(everybody):
        raise EvaluationError(
            f"none of {len(log.listeners)} listeners has plays left when a third of the tracks is new"
        )
    scores: dict[str, list[np.ndarray]] = {}
    splits, held_out = [], {}
    for number, (new, kept) in enumerate(zip(rounds, known, strict=True)):
        plays = log.matrix(metadata.n, HALF_LIFE_DAYS, kept)[everybody]
        found = log.matrix(metadata.n, YEAR, is_future & np.isin(log.track, new))[everybody][:, new]
        splits.append(Round(new, found.toarray() > 0))
        for name, own in vectors.items():
            cold_start = ColdStartScorer(own, plays, metadata.groups)
            asked = cold_start.scores(np.arange(len(everybody)), own[new])
            scores.setdefault(name, []).append(asked.total)
            if name == RECOMMENDER and asked.others is not None:
                scores.setdefault(f"{name}, own tastes alone", []).append(asked.fit)
            if number == 0 and cold_start.held_out:
                held_out[name] = _figures(cold_start.held_out)
        for name, own in baseline_scores(plays.toarray(), new, metadata.labels, metadata.artists, seed=number).items():
            scores.setdefault(name, []).append(own)
        if report:
            report("rounds", number + 1, ROUNDS)
    if not any(split.played.any() for split in splits):
        raise EvaluationError(f"nobody among {len(everybody)} listeners played a track that could be hidden")
    return measure(scores, splits, popularity, K), held_out


def _figures(held_out: HeldOut) -> dict[str, float]:
    return {"R2": held_out.r2, "cosine": held_out.cosine, "cosine of the mean": held_out.cosine_of_mean}
