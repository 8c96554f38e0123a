"""A simulated play log over the tracks of a store, with tastes from a truth file."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import EvaluationError, StoreError
from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors, take, vectors_from_store, with_targets
from audioae.library.truth import read_styles, read_truth
from audioae.output import whole_file
from audioae.recommend.play_log import PlayLog
from audioae.recommend.simulated_plays import simulate_plays

NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""Time of the newest possible play."""


def write_simulated_log(
    library: Generation, truth: str, out: str, *, n_listeners: int = 300, unplayed: float = 0.0, seed: int = 0
) -> int:
    """Write a simulated play log to `out` (Parquet: listener_id, track_id, played_at), and return its number of plays.

    Parameters
    ----------
    library : Generation
    truth : str
        A CSV or Parquet file with track_id or path, true_label or label, and numbers.
    out : str
    n_listeners : int
    unplayed : float
        Share of the tracks, chosen at random, whose plays are left out: the new tracks.
    seed : int

    Raises
    ------
    EvaluationError
        If the truth does not match the catalog, or `unplayed` is not in [0, 1).
    StoreError
        If `out` cannot be written.
    """
    if not 0 <= unplayed < 1:
        raise EvaluationError(f"simulated plays: got unplayed={unplayed}, wanted 0 <= unplayed < 1")
    tracks = vectors_from_store(library.store, library.embeddings_ref)
    tracks = take(tracks, np.flatnonzero(read_styles(truth, tracks) != ""))
    log, _ = simulate_log(truth, tracks, n_listeners, seed)
    is_new = np.random.default_rng(seed).permutation(tracks.metadata.n) < round(unplayed * tracks.metadata.n)
    kept = ~is_new[log.track]
    table = pa.table(
        {
            "listener_id": log.listeners[log.listener[kept]].tolist(),
            "track_id": tracks.metadata.ids[log.track[kept]].tolist(),
            "played_at": [NOW - timedelta(days=float(age)) for age in log.age_days[kept]],
        }
    )
    try:
        with whole_file(out) as unfinished:
            pq.write_table(table, unfinished)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error}); choose a file in an existing folder") from error
    return table.num_rows


def simulate_log(truth: str, tracks: TrackVectors, n_listeners: int, seed: int) -> tuple[PlayLog, np.ndarray]:
    """Simulate a log from the styles and numbers of a truth file; returns it and the popularity of each track."""
    targets, _ = read_truth(truth, tracks)
    metadata = with_targets(tracks, targets).metadata
    numbers = [target.values for target in metadata.targets.values()]
    artists = np.where(metadata.artists == "", metadata.ids, metadata.artists).astype(str)
    plays = simulate_plays(read_styles(truth, tracks), artists, numbers, n_listeners=n_listeners, seed=seed)
    width = len(str(n_listeners - 1))
    listeners = np.array([f"listener{i:0{width}d}" for i in range(n_listeners)])
    log = PlayLog(listeners, plays.listener, plays.track, np.ones(len(plays.track)), plays.age_days)
    return log, plays.popularity
