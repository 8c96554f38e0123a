"""Analyze the audio of the evaluated tracks: librosa's features, estimates of tempo and energy, clips to listen to."""

from collections.abc import Mapping, Set

import numpy as np

from audioae.audio.workers import imap_killable
from audioae.catalog.paths import displayed
from audioae.errors import AudioError
from audioae.evaluation.track_audio import TrackAudio, analyze_track, warm_up
from audioae.library.generation import Generation
from audioae.library.track_metadata import Target
from audioae.library.track_vectors import TrackVectors
from audioae.pipeline.config import Workers
from audioae.progress import Progress


def analyze_tracks(
    library: Generation,
    tracks: TrackVectors,
    workers: Workers,
    progress: Progress,
    *,
    estimate: bool = False,
    previews: Set[int] = frozenset(),
) -> tuple[dict[int, TrackAudio], tuple[str, ...]]:
    """Analyze the audio of each track.

    Parameters
    ----------
    library : Generation
    tracks : TrackVectors
    workers : Workers
    progress : Progress
    estimate : bool
        Whether to estimate tempo and energy.
    previews : set of int
        Rows of the tracks that get a clip to listen to.

    Returns
    -------
    audio : dict of int to TrackAudio
        Results by row; tracks that cannot be read are missing.
    omitted : tuple of str
        A sentence about the unreadable tracks, if any.
    """
    config = library.mels_config
    items = (
        (row, (path, config.clips, config.decode, estimate, row in previews)) for row, path in enumerate(tracks.paths)
    )
    audio: dict[int, TrackAudio] = {}
    failures = []
    results = imap_killable(analyze_track, items, workers=workers.n, timeout_s=workers.timeout_s, prepare=warm_up)
    for row, (_, result) in enumerate(results):
        if isinstance(result, AudioError):
            failures.append(f"{displayed(tracks.paths[row])}: {result}")
        else:
            audio[row] = result
        progress("audio", row + 1, tracks.metadata.n)
    if not failures:
        return audio, ()
    return audio, (
        f"librosa features: the audio of {len(failures)} tracks cannot be read any more, the first: {failures[0]}",
    )


def track_features(audio: Mapping[int, TrackAudio], n: int) -> np.ndarray | None:
    """Stack librosa's features of all n tracks, shape (n, 93); None if a track is missing."""
    return np.stack([audio[row].features for row in range(n)]) if len(audio) == n else None


def estimated_targets(audio: Mapping[int, TrackAudio], n: int) -> dict[str, Target]:
    """Collect librosa's estimates of all n tracks as targets; NaN where a track has none."""
    names = next(iter(audio.values())).targets if audio else {}
    values = {name: np.full(n, np.nan) for name in names}
    for row, track in audio.items():
        for name, value in track.targets.items():
            values[name][row] = value
    return {name: Target(column, "librosa's estimate") for name, column in values.items()}
