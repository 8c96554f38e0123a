"""What the index of yesterday's catalog knows of the neighbors of today's tracks.

Conventions
-----------
- Only tracks in parts of `embeddings` that both catalogs share are known; all others are measured.
- The mean cosine of a known track is yesterday's: new tracks that came near it do not count. So everything is measured
  again once the catalog has grown by more than `STALE` since the oldest of these measurements.
- Near duplicates are exact: a pair with a new track is found from the new track.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.store.manifest import Part

STALE = 0.1


@dataclass(frozen=True, eq=False)
class KnownNeighbors:
    """Neighbors of rows of today's embeddings.

    Parameters
    ----------
    radius : np.ndarray, shape (n,), float32
        Mean cosine; NaN where it is unknown.
    pairs : np.ndarray, shape (m, 2), int64
        Rows of near duplicates.
    similarities : np.ndarray, shape (m,), float32
    among : int
        The smallest number of tracks among which a radius was measured.
    """

    radius: np.ndarray
    pairs: np.ndarray
    similarities: np.ndarray
    among: int


def nothing_known(n: int) -> KnownNeighbors:
    """Of `n` tracks."""
    return KnownNeighbors(np.full(n, np.nan, np.float32), np.empty((0, 2), np.int64), np.empty(0, np.float32), n)


def take_over(table: pa.Table, among: int, before: list[Part], now: list[Part]) -> KnownNeighbors:
    """What is known from `table`, the `neighborhood.parquet` of yesterday's index.

    Parameters
    ----------
    table : pa.Table
        In the order of yesterday's embeddings.
    among : int
        The smallest number of tracks among which one of its radii was measured.
    before, now : list of Part
        The parts of yesterday's and of today's embeddings.
    """
    rows, n = _rows_today(before, now), sum(part.rows or 0 for part in now)
    if len(rows) != table.num_rows or n > (1 + STALE) * among:
        return nothing_known(n)
    known = nothing_known(n)
    known.radius[rows[rows >= 0]] = table["radius"].to_numpy()[rows >= 0]
    grouped = np.flatnonzero(table["duplicate_group"].is_valid().to_numpy() & (rows >= 0))
    if not len(grouped):
        return KnownNeighbors(known.radius, known.pairs, known.similarities, min(among, n))
    members = table.take(pa.array(grouped))
    groups = members["duplicate_group"].combine_chunks().dictionary_encode().indices.to_numpy()
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    own, leader = rows[grouped], rows[grouped[first]][inverse]
    linked = own != leader
    pairs = np.sort(np.stack([own, leader], axis=1)[linked], axis=1)
    similarities = pc.cast(members["sameness"], pa.float32()).to_numpy()[linked]
    return KnownNeighbors(known.radius, pairs, similarities, min(among, n))


def _rows_today(before: list[Part], now: list[Part]) -> np.ndarray:
    """Today's row of each of yesterday's rows, int64; -1 where its part is gone."""
    starts = np.cumsum([0, *(part.rows or 0 for part in now)]).tolist()
    start_of = {(part.name, part.sha256): start for part, start in zip(now, starts, strict=False)}
    rows = [np.empty(0, np.int64)]
    for part in before:
        start, size = start_of.get((part.name, part.sha256)), part.rows or 0
        rows.append(np.full(size, -1) if start is None else np.arange(start, start + size))
    return np.concatenate(rows)
