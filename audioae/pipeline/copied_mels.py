"""Mels of an earlier extraction, for the tracks that have the same audio now: read block by block.

Conventions
-----------
- The rows come in the order of the tracks now, whatever the order of the part is.

Why several passes over a part in another order (its tracks got new track_ids): sorting it would need all of it in
memory, 4 GB for 10,000 tracks. A part in the right order, which is the rule, is read once.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.pipeline.reuse import Copy
from audioae.store.dataset import Store
from audioae.store.schemas import MELS

BLOCK_CLIPS = 1024
SORTED_CLIPS = 16_384  # 270 MB


class CopiedMels:
    """The rows of a copy, taken from the first track to the last.

    Parameters
    ----------
    store : Store
    copy : Copy
        Of `mels`.
    track_ids : pa.Array
        All tracks of the shard, in their order.
    """

    def __init__(self, store: Store, copy: Copy, track_ids: pa.Array):
        self._store, self._copy = store, copy
        self._track_ids, self._place = track_ids, pc.index_in(copy.ours, value_set=track_ids).to_numpy()
        self._blocks = self._sorted_blocks()
        self._waiting = MELS.empty_table()
        self._places = np.empty(0, np.int64)

    def take(self, end: int) -> pa.Table:
        """The rows of the tracks before `end`, a position in `track_ids`, that were not taken yet."""
        tables = []
        while True:
            n = int(np.searchsorted(self._places, end))
            tables.append(self._waiting.slice(0, n))
            self._waiting, self._places = self._waiting.slice(n), self._places[n:]
            if len(self._places) or (block := next(self._blocks, None)) is None:
                return pa.concat_tables(tables)
            self._waiting, self._places = block

    def _sorted_blocks(self) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Blocks of rows with the places of their tracks, ascending."""
        ids = self._store.part_blocks("mels", self._copy.part, ["track_id"], rows=1 << 16)
        places = np.concatenate([np.empty(0, np.int64), *(self._places_of(block) for block in ids)])
        places = places[places >= 0]
        if (np.diff(places) >= 0).all():
            yield from self._read()
            return
        ordered = np.sort(places)
        for low, high in pairwise([*ordered[::SORTED_CLIPS].tolist(), int(ordered[-1]) + 1]):
            if low == high:  # more clips of one track than that
                continue
            blocks = [_select(*block, low, high) for block in self._read()]
            table = pa.concat_tables(table for table, _ in blocks)
            of_rows = np.concatenate([places for _, places in blocks])
            order = np.argsort(of_rows, kind="stable")
            yield table.take(pa.array(order)), of_rows[order]

    def _read(self) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """The rows that are copied, in the order of the part, with the places and the track_ids of now."""
        for block in self._store.part_blocks("mels", self._copy.part, rows=BLOCK_CLIPS):
            places = self._places_of(block)
            if (places < 0).any():
                block, places = block.filter(pa.array(places >= 0)), places[places >= 0]
            ids = pa.chunked_array([self._track_ids.take(pa.array(places))])
            yield block.set_column(0, block.schema.field("track_id"), ids), places

    def _places_of(self, block: pa.Table) -> np.ndarray:
        """The place of each row's track among the tracks of now, shape (n,), int64; -1: it is not copied."""
        rows = pc.fill_null(pc.index_in(block["track_id"], value_set=self._copy.theirs), -1).to_numpy()
        return np.where(rows >= 0, self._place[rows], -1).astype(np.int64)


def _select(table: pa.Table, places: np.ndarray, low: int, high: int) -> tuple[pa.Table, np.ndarray]:
    mask = (places >= low) & (places < high)
    return table.filter(pa.array(mask)), places[mask]
