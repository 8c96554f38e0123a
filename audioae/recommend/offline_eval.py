"""Offline evaluation of item cold start: hide tracks from a play log, and recommend them to those who played them.

Conventions
-----------
- The log is the user's own, or simulated from a truth file about the catalog (`recommend.simulated_plays`).
- The tracks are split into `ROUNDS` parts. In each round one part is new: all its plays are hidden. If plays have
  dates, the newest `FUTURE` of them are the plays to predict, and only earlier plays are learned from.
- There are two splits: by track (the artist of a new track may be known) and by artist (the artist is new).
- All methods see the same plays: item features of the store's embeddings (which `recommend` uses), the embeddings
  alone, vectors from files and MFCC statistics with the same scorer, and baselines that do not use sound.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audioae.errors import EvaluationError
from audioae.library.duplicates import known_copies, rows_with_copies
from audioae.library.generation import Generation
from audioae.library.track_clips import read_clips
from audioae.library.track_metadata import check_vectors
from audioae.library.track_vectors import OWN, TrackVectors, take, vectors_from_store
from audioae.library.truth import read_styles
from audioae.library.vector_files import align_vectors, read_table
from audioae.metrics.baselines import mfcc_statistics
from audioae.metrics.document import compare_results
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.recommend.cf_regression import CrossValidation
from audioae.recommend.config import HALF_LIFE_DAYS
from audioae.recommend.item_features import item_features
from audioae.recommend.metrics import Round, baseline_scores, measure
from audioae.recommend.play_log import PlayLog, read_plays
from audioae.recommend.scorer import ColdStartScorer
from audioae.recommend.simulated_log import simulate_log
from audioae.recommend.simulated_plays import YEAR

ROUNDS = 3
FUTURE = 0.3
K = 10
AND_NAMES = "and names"  # with the names of artist and label, as in `audioae recommend`
RECOMMENDER = f"{OWN} {AND_NAMES}"
SPLITS = {"tracks": "new tracks, artists may be known", "artists": "new tracks by new artists"}


def evaluate_offline(
    library: Generation,
    *,
    truth: str | None = None,
    plays: str | None = None,
    against: Sequence[str] = (),
    n_listeners: int = 300,
    seed: int = 0,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure how well new tracks are recommended, and compare with baselines.

    Parameters
    ----------
    library : Generation
    truth : str, optional
        A CSV or Parquet file with track_id or path, true_label or label, and numbers (tempo, energy ...), from which
        the tastes of simulated listeners are drawn. Give either this or `plays`.
    plays : str, optional
        A play log.
    against : sequence of str
        Files with vectors of the same tracks, to compare with.
    n_listeners : int
        Number of simulated listeners.
    seed : int
        Seed of the simulated log and of the splits.
    workers : Workers, optional
        Decoding processes, for tracks without stored mels.
    progress : Progress, optional

    Returns
    -------
    document : dict
        `splits` has the metrics of all methods, and the accuracy of the predicted CF factors as "regression".

    Raises
    ------
    EvaluationError
        If not exactly one of `truth` and `plays` is given, or too little can be hidden and found again.
    """
    if (truth is None) == (plays is None):
        raise EvaluationError("offline evaluation needs either a play log (plays) or the truth to simulate one (truth)")
    tracks = vectors_from_store(library.store, library.embeddings_ref)
    tracks, others, omitted = align_vectors(tracks, against)
    keepers = known_copies(library.store, library.embeddings_ref).keepers
    if truth is not None:
        rows = np.flatnonzero(read_styles(truth, tracks) != "")
        if len(rows) < tracks.metadata.n:
            omitted.append(f"{tracks.metadata.n - len(rows)} tracks without truth")
        tracks, others = _take(tracks, others, rows)
        tracks, others = _take(tracks, others, _one_per_recording(tracks, keepers, omitted))
        log, popularity = simulate_log(truth, tracks, n_listeners, seed)
    else:
        tracks, others = _take(tracks, others, _one_per_recording(tracks, keepers, omitted))
        known = rows_with_copies(library.tracks, tracks.metadata.ids.tolist(), keepers)
        log = read_plays(read_table(str(plays)), known, str(plays))
        popularity = np.bincount(log.track, log.weight, minlength=tracks.metadata.n)
        omitted += _dropped(log)
    metadata = tracks.metadata
    sounds = {OWN: tracks.vectors, **others, "MFCC": _mfcc(library, tracks, workers or Workers(), progress)}
    features = {
        f"{name} {AND_NAMES}": item_features(sound, metadata.artists, metadata.labels) for name, sound in sounds.items()
    }
    features |= {f"{name}, sound alone": sound for name, sound in sounds.items()}
    splits = {}
    for split, title in SPLITS.items():
        rounds = _cut(split, tracks, seed)
        if rounds is None:
            omitted.append(f"{title}: fewer than {ROUNDS} artists are known")
            continue
        metric_sets, regression = _evaluate(log, tracks, features, rounds, popularity, progress)
        splits[split] = {"title": title, "metrics": compare_results(metric_sets), "regression": regression}
    return {
        "embeddings": str(library.embeddings_ref),
        "n_tracks": tracks.metadata.n,
        "n_listeners": len(log.listeners),
        "n_plays": len(log.track),
        "log": f"simulated from {truth}, seed {seed}" if truth else plays,
        "k": K,
        "splits": splits,
        "omitted": list(dict.fromkeys(omitted)),
    }


def _take(
    tracks: TrackVectors, others: Mapping[str, np.ndarray], rows: np.ndarray
) -> tuple[TrackVectors, dict[str, np.ndarray]]:
    return take(tracks, rows), {name: vectors[rows] for name, vectors in others.items()}


def _one_per_recording(tracks: TrackVectors, keepers: Mapping[str, str], omitted: list[str]) -> np.ndarray:
    """Rows of one track per recording, so that no track is hidden while a copy of it is known."""
    recordings = [keepers.get(track_id, track_id) for track_id in tracks.metadata.ids.tolist()]
    rows = np.sort(np.unique(recordings, return_index=True)[1])
    if len(rows) < len(recordings):
        omitted.append(f"{len(recordings) - len(rows)} copies of other tracks")
    return rows


def _dropped(log: PlayLog) -> list[str]:
    omitted = []
    if log.unknown_plays:
        omitted.append(f"{log.unknown_plays} plays of tracks without an embedding, or without a vector in a file")
    if log.lost_listeners:
        omitted.append(f"{log.lost_listeners} listeners without any other plays")
    return omitted


def _mfcc(library: Generation, tracks: TrackVectors, workers: Workers, progress: Progress | None) -> np.ndarray:
    clips = read_clips(library, tracks, workers, progress or (lambda what, done, total: None))
    statistics = mfcc_statistics(clips.codes, clips.peak_db, clips.track)
    scaled = (statistics - statistics.mean(axis=0)) / np.maximum(statistics.std(axis=0), 1e-9)
    return check_vectors(scaled, tracks.metadata.ids, "MFCC")


def _cut(split: str, tracks: TrackVectors, seed: int) -> list[np.ndarray] | None:
    """Rows of the new tracks of each round; None if too few artists are known."""
    groups = tracks.metadata.groups if split == "artists" else np.arange(tracks.metadata.n)
    n_groups = groups.max() + 1
    if n_groups < ROUNDS or (split == "artists" and n_groups == tracks.metadata.n):
        return None
    part = (np.random.default_rng(seed).permutation(n_groups) % ROUNDS)[groups]
    return [np.flatnonzero(part == i) for i in range(ROUNDS)]


def _evaluate(
    log: PlayLog,
    tracks: TrackVectors,
    features: Mapping[str, np.ndarray],
    rounds: Sequence[np.ndarray],
    popularity: np.ndarray,
    progress: Progress | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of every method over all rounds, and the accuracy of the predicted CF factors in the first round."""
    metadata = tracks.metadata
    dated = log.age_days.max() > 0
    cutoff = float(np.quantile(log.age_days, FUTURE)) if dated else 0.0
    is_past = log.age_days > cutoff if dated else np.ones(len(log.track), bool)
    is_future = ~is_past if dated else np.ones(len(log.track), bool)
    known = [is_past & ~np.isin(log.track, new) for new in rounds]
    listeners = np.flatnonzero(
        np.all([np.bincount(log.listener[kept], minlength=len(log.listeners)) > 0 for kept in known], axis=0)
    )
    if not len(listeners):
        raise EvaluationError(
            f"none of {len(log.listeners)} listeners has plays left in every round, in which a third of the tracks is "
            "hidden; the log is too small"
        )
    scores: dict[str, list[np.ndarray]] = {}
    splits, regression = [], {}
    for number, (new, kept) in enumerate(zip(rounds, known, strict=True)):
        plays = log.matrix(metadata.n, HALF_LIFE_DAYS, kept)[listeners]
        hidden = log.matrix(metadata.n, YEAR, is_future & np.isin(log.track, new))[listeners][:, new]
        splits.append(Round(new, hidden.toarray() > 0))
        for name, values in features.items():
            scorer = ColdStartScorer(values, plays, metadata.groups)
            scored = scorer.scores(np.arange(len(listeners)), values[new])
            scores.setdefault(name, []).append(scored.total)
            if name == RECOMMENDER and scored.others is not None:
                scores.setdefault(f"{name}, own tastes alone", []).append(scored.fit)
            if number == 0 and scorer.cross_validation:
                regression[name] = _accuracy(scorer.cross_validation)
        by_name = baseline_scores(plays.toarray(), new, metadata.labels, metadata.artists, seed=number)
        for name, values in by_name.items():
            scores.setdefault(name, []).append(values)
        if progress:
            progress("rounds", number + 1, ROUNDS)
    if not any(split.played.any() for split in splits):
        raise EvaluationError(f"none of {len(listeners)} listeners played a track that could be hidden")
    return measure(scores, splits, popularity, K), regression


def _accuracy(result: CrossValidation) -> dict[str, float]:
    return {"R2": result.r2, "cosine": result.cosine, "cosine of the mean": result.cosine_of_mean}
