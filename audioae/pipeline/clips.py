"""From shards of tracks to the mels of their clips; each file is decoded once.

Conventions
-----------
- One decode of a shard gives three tables: `mels`, `health` (evidence of faults) and `rejects` (unusable tracks, with
  reasons). Their parts share one name (see `extraction.py`); `mels`, if it is stored at all, is written last.
- Results that exist for a track's audio are copied (see `reuse.py`); only the other tracks are decoded. Copied and
  computed parts have the same bytes.
- Every stage that needs clips calls `iter_clips` or `iter_extracted`, which read mels that are stored and decode the
  other tracks, with identical results. A catalog can therefore be embedded without ever storing its mels.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.catalog.paths import paths_of
from audioae.constants import N_FRAMES, N_MELS
from audioae.errors import AudioError
from audioae.pipeline.config import MelsConfig, Retry, Workers
from audioae.pipeline.extraction import partial_fingerprint
from audioae.pipeline.failures import failures_in, reject_row
from audioae.pipeline.reuse import Copy, History
from audioae.pipeline.shard_plan import MELS_PART, Results, ShardPlan, plan_shard
from audioae.pipeline.shards import iter_shards
from audioae.progress import Advance
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import HEALTH, MELS, REJECTS

if TYPE_CHECKING:
    from audioae.audio.extract import Extracted


class ShardClips(NamedTuple):
    """The clips of one shard.

    Attributes
    ----------
    shard : int
    name : str
        Of the extraction.
    track_ids : pa.Array
        The tracks that count, in the order of the catalog.
    mels : pa.Table
        Rows of `mels` of the tracks that were decoded, or whose mels are stored.
    copies : list of Copy
        Results of the other tracks.
    """

    shard: int
    name: str
    track_ids: pa.Array
    mels: pa.Table
    copies: list[Copy]


def iter_clips(
    store: Store,
    tracks: DatasetRef,
    shards: Sequence[int],
    config: MelsConfig,
    workers: Workers,
    *,
    keep_mels: bool,
    on_progress: Advance | None = None,
) -> Iterator[tuple[int, str, pa.Table]]:
    """Yield (shard, name of the extraction, mels of all its tracks) for each shard, in order.

    Decoding writes the shard's parts of `health` and `rejects`; with `keep_mels`, also its part of `mels`.
    """
    for clips in iter_results(
        store, tracks, shards, config, workers, results=[MELS_PART], keep_mels=keep_mels, on_progress=on_progress
    ):
        yield clips.shard, clips.name, clips.mels


def iter_results(
    store: Store,
    tracks: DatasetRef,
    shards: Sequence[int],
    config: MelsConfig,
    workers: Workers,
    *,
    results: Sequence[Results],
    keep_mels: bool,
    on_progress: Advance | None = None,
) -> Iterator[ShardClips]:
    """Yield the clips of each shard, in order, without the tracks that have a result in one of `results` already.

    Decoding writes the shard's parts of `health` and `rejects`; with `keep_mels`, also its part of `mels`.
    """
    from audioae.audio.extract import extract
    from audioae.audio.workers import imap_killable

    history = History(store, tracks, config)
    plans = [
        plan_shard(history, shard, table, workers.retry, results) for shard, table in iter_shards(store, tracks, shards)
    ]
    items = (
        (track_id, (path, config.clips, config.decode))
        for plan in plans
        for track_id, path in zip(plan.todo["track_id"].to_pylist(), paths_of(plan.todo), strict=True)
    )
    decoded = imap_killable(extract, items, workers=workers.n, timeout_s=workers.timeout_s)
    total, done = sum(plan.tracks.num_rows for plan in plans), 0
    for plan in plans:
        done += plan.tracks.num_rows - plan.todo.num_rows
        fresh = []
        for track_id, result in islice(decoded, plan.todo.num_rows):
            fresh.append((str(track_id), result))
            done += 1
            if on_progress:
                on_progress(done, total)
        if on_progress and not fresh:
            on_progress(done, total)
        yield _write(store, plan, fresh, workers.retry, keep_mels)


def in_order(tables: Sequence[pa.Table], track_ids: pa.Array) -> pa.Table:
    """One table, in one chunk, with the tracks in the order of `track_ids`; the rows of a track keep theirs."""
    table = pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])
    position = pc.index_in(table["track_id"], value_set=track_ids).to_numpy()
    if (np.diff(position) < 0).any():
        table = table.take(pa.array(np.argsort(position, kind="stable")))
    return table.combine_chunks()


def _write(
    store: Store,
    plan: ShardPlan,
    results: "list[tuple[str, Extracted | AudioError]]",
    retry: Retry,
    keep_mels: bool,
) -> ShardClips:
    good = [(track_id, result) for track_id, result in results if not isinstance(result, AudioError)]
    bad = [
        reject_row(track_id, result, plan.attempts.get(track_id, 0), retry)
        for track_id, result in results
        if isinstance(result, AudioError)
    ]
    rejects = in_order([*plan.rejects, pa.Table.from_pylist(bad, REJECTS)], plan.track_ids)
    name = partial_fingerprint(plan.whole, failures_in(rejects))
    if not (store.has_part("health", name) and store.has_part("rejects", name)):
        health = pa.Table.from_pylist([{"track_id": track_id, **result.health} for track_id, result in good], HEALTH)
        copied = [copy.read(store) for copy in plan.health]
        store.write_part("health", name, in_order([*copied, health], plan.track_ids))
        store.write_part("rejects", name, rejects)
    copied = [copy.read(store) for copy in plan.copies if copy.dataset == "mels"]
    mels = in_order([*copied, _mels_table(good)], plan.track_ids)
    if keep_mels:
        store.write_part("mels", name, mels)
    return ShardClips(plan.shard, name, plan.track_ids, mels, plan.copies)


def _mels_table(good: "list[tuple[str, Extracted]]") -> pa.Table:
    if not good:
        return MELS.empty_table()
    counts = [len(result.codes) for _, result in good]
    codes = np.concatenate([result.codes for _, result in good]).reshape(sum(counts), -1)
    columns = [
        np.repeat(np.array([track_id for track_id, _ in good], dtype=object), counts),
        np.concatenate([np.arange(n, dtype=np.int16) for n in counts]),
        np.concatenate([result.starts_s for _, result in good]).astype(np.float32),
        np.concatenate([result.peak_db for _, result in good]).astype(np.float32),
        np.repeat(np.array([result.padded for _, result in good]), counts),
    ]
    mels = pa.FixedSizeBinaryArray.from_buffers(MELS.field("mel").type, len(codes), [None, pa.py_buffer(codes)])
    arrays = [pa.array(column, field.type) for column, field in zip(columns, list(MELS)[:-1], strict=True)]
    return pa.Table.from_arrays([*arrays, mels], schema=MELS)


def mel_codes(mels: pa.Table) -> np.ndarray:
    """Return the mel column as one array.

    Parameters
    ----------
    mels : pa.Table
        Rows of the dataset `mels`.

    Returns
    -------
    codes : np.ndarray, shape (n_clips, 128, 130), uint8
    """
    if not mels.num_rows:
        return np.empty((0, N_MELS, N_FRAMES), np.uint8)
    column = mels["mel"].combine_chunks()
    codes = np.frombuffer(column.buffers()[1], np.uint8).reshape(-1, N_MELS, N_FRAMES)
    return codes[column.offset : column.offset + len(column)]
