"""Which shard a track is in.

Conventions
-----------
- A known track keeps its shard. New tracks first fill up the newest shard if it has fewer than 64, then open new ones
  of at least 64 (or what there is). The shards of a first run are smaller if there would be fewer than `min_shards`.
- When there are more than three times as many shards as a fresh catalog of this size would have, neighbors are merged;
  a merged shard keeps the lowest number. Nothing is decoded for that: results are copied (see `reuse.py`); only a
  sample of mels (`mels.max_stored_tracks`) may get tracks whose mels were not stored before.
- A track whose audio is known from a track that is gone goes into the shard of that one, where its results are.
"""

import numpy as np
import pyarrow as pa

from audioae.pipeline.identity import has_same_audio
from audioae.pipeline.reuse import same_audio
from audioae.pipeline.shards import shard_size

MIN_TRACKS = 64
MAX_EXCESS = 3


def known_shards(scanned: pa.Table, known: pa.Table, rows: np.ndarray) -> np.ndarray:
    """The shard in which each scanned file has its results, shape (n,), int64; -1 where it has none.

    Parameters
    ----------
    scanned : pa.Table
        With the schema `scan.SCANNED`.
    known : pa.Table
        Rows of `tracks`.
    rows : np.ndarray, shape (n,)
        The row of `known` for each file, -1 for a new track.
    """
    numbers = known["shard"].to_numpy().astype(np.int64)
    shards = np.full(len(rows), -1)
    shards[rows >= 0] = numbers[rows[rows >= 0]]
    is_copy = np.zeros(len(rows), bool)
    is_copy[rows >= 0] = known["duplicate_of"].is_valid().to_numpy()[rows[rows >= 0]]
    orphaned = known["duplicate_of"].is_null().to_numpy().copy()
    orphaned[rows[has_same_audio(scanned, known, rows)]] = False
    heirs, left = np.flatnonzero((rows < 0) | is_copy), np.flatnonzero(orphaned)
    found = same_audio(scanned.take(pa.array(heirs)), known.take(pa.array(left)))
    shards[heirs[found >= 0]] = numbers[left[found[found >= 0]]]
    return shards


def place_new(shards: np.ndarray, first_free: int, *, shard_tracks: int, min_shards: int) -> np.ndarray:
    """Give every track a shard.

    Parameters
    ----------
    shards : np.ndarray, shape (n,), int
        -1 for a new track.
    first_free : int
        A number above those of all shards.
    shard_tracks, min_shards : int

    Returns
    -------
    shards : np.ndarray, shape (n,), int

    Examples
    --------
    >>> place_new(np.array([0, 0, -1, -1]), 1, shard_tracks=3, min_shards=16).tolist()
    [0, 0, 0, 1]
    """
    shards, new = shards.copy(), np.flatnonzero(shards < 0)
    size = shard_size(len(new), shard_tracks=shard_tracks, min_shards=min_shards)
    if len(new) < len(shards):
        least = min(MIN_TRACKS, shard_tracks)
        newest = shards.max()
        room = max(least - int((shards == newest).sum()), 0)
        shards[new[:room]] = newest
        size, new = max(size, least), new[room:]
    shards[new] = first_free + np.arange(len(new)) // size
    return shards


def merge_small(shards: np.ndarray, *, shard_tracks: int, min_shards: int) -> np.ndarray:
    """Merge neighboring shards if there are far more than a fresh catalog of as many tracks would have.

    >>> merge_small(np.array([1, 2, 4, 5, 6, 7, 8, 9]), shard_tracks=4, min_shards=1).tolist()
    [1, 1, 1, 1, 6, 6, 6, 6]
    """
    numbers, counts = np.unique(shards, return_counts=True)
    size = shard_size(len(shards), shard_tracks=shard_tracks, min_shards=min_shards)
    if len(numbers) <= MAX_EXCESS * -(-len(shards) // size):
        return shards
    targets, filled = [], 0
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        fits = bool(targets) and filled + count <= size
        filled = filled + count if fits else count
        targets.append(targets[-1] if fits else number)
    return np.array(targets)[np.searchsorted(numbers, shards)]
