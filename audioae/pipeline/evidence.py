"""What decoding says about the tracks of a shard: evidence of faults, and reasons for rejection.

Conventions
-----------
- The parts `health` and `rejects` have the tracks in the order of the catalog, copied and decoded ones alike.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.errors import AudioError
from audioae.pipeline.config import Retry
from audioae.pipeline.extraction import partial_fingerprint
from audioae.pipeline.failures import failures_in, reject_row
from audioae.pipeline.shard_plan import ShardPlan
from audioae.store.dataset import Store
from audioae.store.schemas import HEALTH, REJECTS

if TYPE_CHECKING:
    from audioae.audio.extract import Extracted


class Evidence:
    """The evidence of one shard, collected while its tracks are decoded."""

    def __init__(self, plan: ShardPlan, retry: Retry):
        self._plan, self._retry = plan, retry
        self._health: list[pa.Table] = []
        self._rejected: list[dict[str, Any]] = []

    def add(self, results: "Iterable[tuple[str, Extracted | AudioError]]") -> "list[tuple[str, Extracted]]":
        """Keep the evidence of some tracks; returns those that are usable."""
        good = []
        for track_id, result in results:
            if isinstance(result, AudioError):
                attempts = self._plan.attempts.get(track_id, 0)
                self._rejected.append(reject_row(track_id, result, attempts, self._retry))
            else:
                good.append((track_id, result))
        if rows := [{"track_id": track_id, **result.health} for track_id, result in good]:
            self._health.append(pa.Table.from_pylist(rows, HEALTH))
        return good

    def write(self, store: Store) -> str:
        """Write the parts of the shard, once all of its tracks were added; returns the name of the extraction."""
        plan = self._plan
        rejects = in_order([*plan.rejects, pa.Table.from_pylist(self._rejected, REJECTS)], plan.track_ids)
        name = partial_fingerprint(plan.whole, failures_in(rejects))
        if not (store.has_part("health", name) and store.has_part("rejects", name)):
            copied = [copy.read(store) for copy in plan.health]
            health = in_order([*copied, *self._health, HEALTH.empty_table()], plan.track_ids)
            store.write_part("health", name, health)
            store.write_part("rejects", name, rejects)
        return name


def in_order(tables: Sequence[pa.Table], track_ids: pa.Array) -> pa.Table:
    """One table, in one chunk, with the tracks in the order of `track_ids`; the rows of a track keep theirs."""
    table = pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])
    position = pc.index_in(table["track_id"], value_set=track_ids).to_numpy()
    if (np.diff(position) < 0).any():
        table = table.take(pa.array(np.argsort(position, kind="stable")))
    return table.combine_chunks()
