"""What the audio of a catalog's tracks gives to an evaluation: librosa's features and estimates, clips to listen to."""

from collections.abc import Mapping, Set

import numpy as np

from audioae.audio.workers import imap_killable
from audioae.errors import AudioError
from audioae.evaluation.track_audio import TrackAudio, analyze_track
from audioae.library.generation import Generation
from audioae.library.track_metadata import Target
from audioae.library.track_vectors import TrackVectors
from audioae.pipeline.config import Workers
from audioae.progress import Progress


def analyze_tracks(
    library: Generation,
    subject: TrackVectors,
    workers: Workers,
    report: Progress,
    *,
    estimate: bool = False,
    heard: Set[int] = frozenset(),
) -> tuple[dict[int, TrackAudio], tuple[str, ...]]:
    """Descriptions by row of the subject, and a sentence on the tracks whose audio cannot be read again.

    Parameters
    ----------
    library, subject : Generation, Subject
    workers : Workers
    report : Report
    estimate : bool
        Whether tempo and energy are estimated.
    heard : set of int
        Rows that get a clip to listen to.
    """
    config = library.mels_config
    items = ((row, (uri, config.clips, config.decode, estimate, row in heard)) for row, uri in enumerate(subject.uris))
    found: dict[int, TrackAudio] = {}
    failures = []
    results = imap_killable(analyze_track, items, workers=workers.n, timeout_s=workers.timeout_s)
    for row, (_, result) in enumerate(results):
        if isinstance(result, AudioError):
            failures.append(f"{subject.uris[row]}: {result}")
        else:
            found[row] = result
        report("audio", row + 1, subject.metadata.n)
    if not failures:
        return found, ()
    return found, (
        f"audio of {len(failures)} tracks cannot be read again, so librosa's features are left out; "
        f"the first: {failures[0]}",
    )


def track_features(described: Mapping[int, TrackAudio], n: int) -> np.ndarray | None:
    """librosa's features of all n tracks, shape (n, 93); None if one of them has none."""
    return np.stack([described[row].features for row in range(n)]) if len(described) == n else None


def estimated_targets(described: Mapping[int, TrackAudio], n: int) -> dict[str, Target]:
    """Numbers to be predicted, by librosa's estimate; NaN where there is none."""
    names = next(iter(described.values())).targets if described else {}
    values = {name: np.full(n, np.nan) for name in names}
    for row, description in described.items():
        for name, value in description.targets.items():
            values[name][row] = value
    return {name: Target(found, "librosa's estimate") for name, found in values.items()}
