"""The clips of a catalog's tracks, from stored mels where they are."""

from dataclasses import dataclass

import numpy as np

from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors
from audioae.pipeline.clips import iter_clips, mel_codes
from audioae.pipeline.config import Workers
from audioae.progress import Progress


@dataclass(frozen=True)
class TrackClips:
    """Clips of the subject's tracks: codes, peaks, and the row of each clip's track."""

    codes: np.ndarray
    peak_db: np.ndarray
    track: np.ndarray


def read_clips(library: Generation, subject: TrackVectors, workers: Workers, report: Progress) -> TrackClips:
    """The clips of the subject's tracks, from stored mels where they are."""
    place = {str(track_id): row for row, track_id in enumerate(subject.metadata.ids)}
    tracks = library.tracks.select(["track_id", "shard"]).to_pylist()
    shards = sorted({row["shard"] for row in tracks if row["track_id"] in place})
    codes, peaks, rows = [], [], []
    for done, (_, _, mels) in enumerate(
        iter_clips(library.store, library.tracks_ref, shards, library.mels_config, workers, keep_mels=False)
    ):
        row = np.array([place.get(track_id, -1) for track_id in mels["track_id"].to_pylist()], dtype=np.int64)
        codes.append(mel_codes(mels)[row >= 0])
        peaks.append(mels["peak_db"].to_numpy()[row >= 0])
        rows.append(row[row >= 0])
        report("clips", done + 1, len(shards))
    return TrackClips(np.concatenate(codes), np.concatenate(peaks).astype(np.float32), np.concatenate(rows))
