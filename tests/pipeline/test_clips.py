"""Clips are streamed shard by shard, and block by block inside a shard."""

from audioae.pipeline.clips import iter_clips
from audioae.pipeline.config import Workers


def test_clips_come_in_shard_order_and_progress_ends_at_the_total(chain):
    store, config = chain
    progress: list[tuple[int, int]] = []
    tracks = store.require("tracks")
    blocks = iter_clips(
        store,
        tracks,
        [2, 0],
        config.mels,
        Workers(1),
        keep_mels=False,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    ids = [list(dict.fromkeys(mels["track_id"].to_pylist())) for mels in blocks]
    shards = {row["track_id"]: row["shard"] for row in store.read(tracks, ["track_id", "shard"]).to_pylist()}
    assert [{shards[track_id] for track_id in block} for block in ids] == [{0}, {2}]
    assert progress[-1] == (8, 8)
