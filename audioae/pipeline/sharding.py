"""Which shard a track is in.

Conventions
-----------
- A known track keeps its shard. New tracks first fill up the newest shard if it has fewer than 64, then open new ones
  of at least 64 (or what there is). `shards.shard_size` says how large they are.
- When there are more than three times as many shards as a fresh catalog of this size would have if its shards were
  small, neighbors are merged; a merged shard keeps the lowest number. Nothing is decoded for that: results are copied
  (see `reuse.py`); only a sample of mels (`mels.max_stored_tracks`) may get tracks whose mels were not stored before.
- A track whose audio is known from a track that is gone goes into the shard of that one, where its results are.
"""

import numpy as np

from audioae.catalog.database import Database
from audioae.pipeline.shards import shard_size

MIN_TRACKS = 64
MAX_EXCESS = 3

# A file that cannot be read is the same only as itself.
_CONTENT = "coalesce(content_hash, concat('unread ', track_id))"


def known_shards(db: Database, n_tracks: int) -> np.ndarray:
    """The shard in which each scanned file has its results, shape (n_tracks,), int32; -1 where it has none.

    Parameters
    ----------
    db : Database
        With the tables `scanned`, `known` and `identified` (see `identity.py`).
    n_tracks : int
        Rows of `scanned`.
    """
    shards = np.full(n_tracks, -1, np.int32)
    for block in db.stream("SELECT pos, shard FROM identified WHERE shard IS NOT NULL"):
        shards[block["pos"].to_numpy()] = block["shard"].to_numpy()
    db.run(
        f"""
        CREATE OR REPLACE TABLE orphaned AS SELECT row, {_CONTENT} AS content, audio_hash FROM known
        ANTI JOIN (SELECT row FROM identified WHERE same_audio) USING (row) WHERE is_kept;
        CREATE OR REPLACE TABLE heirs AS SELECT pos, {_CONTENT} AS content, audio_hash FROM scanned
        SEMI JOIN (SELECT pos FROM identified WHERE NOT coalesce(was_kept, false)) USING (pos);
        """
    )
    by = "SELECT pos, row FROM heirs JOIN (SELECT {0}, min(row) AS row FROM orphaned GROUP BY {0}) USING ({0})"
    heirs = f"""
        SELECT pos, shard FROM ({by.format("content")}) c FULL JOIN ({by.format("audio_hash")}) a USING (pos)
        JOIN known ON known.row = coalesce(c.row, a.row)
    """
    for block in db.stream(heirs):
        shards[block["pos"].to_numpy()] = block["shard"].to_numpy()
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
    size = shard_size(len(new), n_tracks=len(shards), shard_tracks=shard_tracks, min_shards=min_shards)
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
    size = shard_size(len(shards), n_tracks=0, shard_tracks=shard_tracks, min_shards=min_shards)
    if len(numbers) <= MAX_EXCESS * -(-len(shards) // size):
        return shards
    targets, filled = [], 0
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        fits = bool(targets) and filled + count <= size
        filled = filled + count if fits else count
        targets.append(targets[-1] if fits else number)
    return np.array(targets, shards.dtype)[np.searchsorted(numbers, shards)]
