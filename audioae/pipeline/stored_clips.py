"""The stored clips of some tracks: the one reader of the dataset `mels` by track.

Conventions
-----------
- Tracks whose mels are not stored (`mels.max_stored_tracks`, an older decoder) are left out; nothing is decoded.
- Shards are read one at a time, so that memory holds one shard's mels.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.pipeline.clips import mel_codes
from audioae.pipeline.config import MelsConfig
from audioae.pipeline.extraction import find_extraction
from audioae.pipeline.shards import iter_shards
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

COLUMNS = ("track_id", "start_s", "peak_db", "mel")


class TrackClips(NamedTuple):
    """One track's clips.

    Attributes
    ----------
    codes : np.ndarray, shape (n_clips, 128, 130), uint8
    starts_s : np.ndarray, shape (n_clips,), float32
        Where each clip begins, in seconds.
    peak_db : np.ndarray, shape (n_clips,), float32
        Absolute level of each clip's maximum, dB.
    """

    codes: np.ndarray
    starts_s: np.ndarray
    peak_db: np.ndarray


def iter_stored_clips(
    store: Store, tracks: DatasetRef, config: MelsConfig, shard_of_track: Mapping[str, int]
) -> Iterator[tuple[str, TrackClips]]:
    """Yield (track_id, clips) of those tracks whose mels are stored, shard by shard.

    Parameters
    ----------
    store : Store
    tracks : DatasetRef
        The catalog version that the tracks are from.
    config : MelsConfig
        How its mels were made.
    shard_of_track : mapping of str to int
        The wanted track_ids and their shards (`shards_of` finds them).
    """
    wanted: dict[int, list[str]] = {}
    for track_id, shard in shard_of_track.items():
        wanted.setdefault(shard, []).append(track_id)
    for shard, rows in iter_shards(store, tracks, wanted):
        name = find_extraction(store, "mels", shard, rows, config)
        if name is None:
            continue
        mels = store.read_part("mels", name, COLUMNS)
        mels = mels.filter(pc.is_in(mels["track_id"], value_set=pa.array(wanted[shard], pa.string()))).combine_chunks()
        ids = mels["track_id"].to_numpy()
        ends = np.append(np.flatnonzero(ids[1:] != ids[:-1]) + 1, len(ids))
        for start, end in zip(np.append(0, ends[:-1]), ends, strict=True):
            if end > start:
                clips = mels.slice(start, end - start)
                peaks = clips["peak_db"].to_numpy()
                yield str(ids[start]), TrackClips(mel_codes(clips), clips["start_s"].to_numpy(), peaks)


def shards_of(store: Store, tracks: DatasetRef, track_ids: Collection[str]) -> dict[str, int]:
    """Find the shards of tracks of one catalog version; unknown IDs are left out."""
    table = store.read(tracks, ["track_id", "shard"])
    rows = table.filter(pc.is_in(table["track_id"], value_set=pa.array(track_ids, pa.string())))
    return dict(zip(rows["track_id"].to_pylist(), rows["shard"].to_pylist(), strict=True))
