"""Shards of which nothing must be decoded: several at a time, since reading stored mels costs one thread of each.

Conventions
-----------
- A shard is read, embedded and written by one thread; at most `READERS` shards are under way.
- Encoder threads are divided among the shards under way.

Why by shard: hashing a part, which one thread does at about 1 GB/s, and decompressing it allow a single reader 25,000
clips/s. A GPU embeds several times as many.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from threading import Event

import pyarrow as pa

from audioae.pipeline.clips import ShardClips
from audioae.pipeline.config import MelsConfig, Retry
from audioae.pipeline.reuse import History
from audioae.pipeline.shard_plan import Results, plan_shard
from audioae.pipeline.shards import shard_of
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.parallel import map_parallel

READERS = 16  # 80 MB each


class Stopped(Exception):  # noqa: N818 - nobody sees it
    """Another shard has failed, or the run ends."""


def map_stored(
    store: Store,
    tracks: DatasetRef,
    shards: Sequence[int],
    config: MelsConfig,
    retry: Retry,
    results: Sequence[Results],
    work: Callable[[ShardClips], int],
    *,
    readers: int,
    network: DatasetRef | None = None,
) -> Generator[tuple[int, int | None]]:
    """Yield each of `shards` with what `work` gave for its clips; None if some of its tracks must be decoded.

    `work` is called by `readers` threads at once. After an error, or when the iterator is closed, they end with the
    block that they are at.
    """
    history, stop = History(store, tracks, config), Event()
    parts = {shard_of(part.name): part.name.removesuffix(".parquet") for part in store.manifest(tracks).parts}

    def run(shard: int) -> int | None:
        plan = plan_shard(history, shard, store.read_part("tracks", parts[shard]), retry, results, network)
        if plan.todo.num_rows:
            return None
        clips = ShardClips(store, plan, iter(()), retry, keep_mels=False, network=network)
        clips.blocks = _until(stop, clips.blocks)
        try:
            return work(clips)
        except BaseException:
            stop.set()
            raise

    with closing(map_parallel(run, shards, threads=readers)) as counts:
        try:
            yield from zip(shards, counts, strict=True)
        finally:
            stop.set()


def _until(stop: Event, blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
    for block in blocks:
        if stop.is_set():
            raise Stopped
        yield block
