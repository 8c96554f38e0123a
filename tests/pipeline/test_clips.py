"""Clips are streamed shard by shard."""

import pyarrow as pa

from audioae.pipeline.clips import iter_clips
from audioae.pipeline.config import Workers


def test_clips_come_in_shard_order_and_progress_ends_at_the_total(chain):
    store, config = chain
    progress: list[tuple[int, int]] = []
    parts = iter_clips(
        store,
        store.require("tracks"),
        [2, 0],
        config.mels,
        Workers(1),
        keep_mels=False,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    tables: dict[int, pa.Table] = {shard: mels for shard, _, mels in parts}
    assert list(tables) == [0, 2]
    assert progress[-1] == (8, 8)
