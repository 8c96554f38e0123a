"""All clips of some tracks as arrays: from stored mels, or decoded again where a track has none.

Why not `pipeline.stored_clips`: an evaluation needs every track, and a catalog may store the mels of a sample only.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors
from audioae.pipeline.clips import iter_clips, mel_codes
from audioae.pipeline.config import Workers
from audioae.pipeline.stored_clips import shards_of
from audioae.progress import Progress


class ClipArrays(NamedTuple):
    """Clips of several tracks.

    Attributes
    ----------
    codes : np.ndarray, shape (n_clips, 128, 130), uint8
    peak_db : np.ndarray, shape (n_clips,), float32
        Absolute level of each clip's maximum, dB.
    track : np.ndarray, shape (n_clips,), int64
        Row of each clip's track.
    """

    codes: np.ndarray
    peak_db: np.ndarray
    track: np.ndarray


def read_clips(library: Generation, tracks: TrackVectors, workers: Workers, progress: Progress) -> ClipArrays:
    """Read the clips of the given tracks, shard by shard."""
    ids = pa.array(tracks.metadata.ids, pa.string())
    shards = sorted({*shards_of(library.store, library.tracks_ref, ids).values()})
    pieces = []
    blocks = iter_clips(
        library.store,
        library.tracks_ref,
        shards,
        library.mels_config,
        workers,
        keep_mels=False,
        on_progress=lambda done, total: progress("clips", done, total),
    )
    for mels in blocks:
        row = pc.fill_null(pc.index_in(mels["track_id"], value_set=ids), -1).to_numpy().astype(np.int64)
        mask = row >= 0
        pieces.append((mel_codes(mels)[mask], mels["peak_db"].to_numpy()[mask].astype(np.float32), row[mask]))
    return ClipArrays(*(np.concatenate(arrays) for arrays in zip(*pieces, strict=True)))
