"""From shards of tracks to the mels of their clips; each file is decoded once.

Conventions
-----------
- One decode of a shard gives three tables: `mels`, `health` (evidence of faults) and `rejects` (unusable tracks, with
  reasons). Their parts share one name (see `extraction.py`); `mels`, if it is stored at all, is written last.
- A shard goes through memory in blocks of tracks. Its parts do not depend on the blocks.
- Results that exist for a track's audio are copied (see `reuse.py`); only the other tracks are decoded. Copied and
  computed parts have the same bytes.
- Every stage that needs clips calls `iter_clips` or `iter_results`, which read mels that are stored and decode the
  other tracks, with identical results. A catalog can therefore be embedded without ever storing its mels.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import

from audioae.constants import N_FRAMES, N_MELS
from audioae.pipeline.config import MelsConfig, Retry, Workers
from audioae.pipeline.copied_mels import CopiedMels
from audioae.pipeline.decoding import Decoded, iter_decoded
from audioae.pipeline.evidence import Evidence, in_order
from audioae.pipeline.network_vectors import ShardVectors
from audioae.pipeline.reuse import History
from audioae.pipeline.shard_plan import MELS_PART, Results, ShardPlan, plan_shard
from audioae.pipeline.shards import iter_shards, shard_of
from audioae.progress import Advance
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import MELS

if TYPE_CHECKING:
    from audioae.audio.extract import Extracted
    from audioae.errors import AudioError

    Usable = Iterator[tuple[str, Extracted | AudioError]]

BLOCK_TRACKS = 32  # as many as one decoding worker is ahead: a longer block would make it wait


class ShardClips:
    """The clips of one shard, in blocks of at most `BLOCK_TRACKS` tracks.

    Attributes
    ----------
    shard : int
    track_ids : pa.Array
        The tracks that count, in the order of the catalog.
    blocks : iterator of pa.Table
        Rows of `mels` of the tracks that are decoded, or whose mels are stored. After the last, the shard's parts of
        `health` and `rejects` are written, and its part of `mels` if it is kept.
    copies : list of Copy
        Results of the other tracks.
    vectors : ShardVectors or None
        Those of the network, if there is one. They are written with the other parts.
    name : str
        Of the extraction; empty until all blocks were taken, since it says which tracks failed.
    """

    def __init__(
        self,
        store: Store,
        plan: ShardPlan,
        decoded: Decoded,
        retry: Retry,
        keep_mels: bool,
        network: DatasetRef | None = None,
    ):
        self.shard, self.track_ids, self.copies = plan.shard, plan.track_ids, plan.copies
        self.is_decoded = plan.todo.num_rows > 0
        self.name = ""
        self.vectors = ShardVectors(store, plan, network) if network else None
        results = self.vectors.keep(decoded) if self.vectors else cast("Usable", decoded)
        self.blocks = self._blocks(store, plan, results, retry, keep_mels)

    def _blocks(
        self, store: Store, plan: ShardPlan, decoded: "Usable", retry: Retry, keep_mels: bool
    ) -> Iterator[pa.Table]:
        ids, evidence = self.track_ids, Evidence(plan, retry)
        is_fresh = pc.is_in(ids, value_set=plan.todo["track_id"].combine_chunks()).to_numpy(zero_copy_only=False)
        copied = [CopiedMels(store, copy, ids) for copy in plan.copies if copy.dataset == "mels"]
        with store.part_writer("mels") if keep_mels else nullcontext() as writer:
            for start in range(0, len(ids), BLOCK_TRACKS):
                end = min(start + BLOCK_TRACKS, len(ids))
                good = evidence.add(islice(decoded, int(is_fresh[start:end].sum())))
                mels = in_order([*(rows.take(end) for rows in copied), _mels_table(good)], ids[start:end])
                if writer:
                    writer.write(mels)
                if mels.num_rows:
                    yield mels
            self.name = evidence.write(store)
            if self.vectors:
                self.vectors.write(self.name)
            if writer:
                writer.finish(self.name)


def iter_clips(
    store: Store,
    tracks: DatasetRef,
    shards: Sequence[int],
    config: MelsConfig,
    workers: Workers,
    *,
    keep_mels: bool,
    network: DatasetRef | None = None,
    on_progress: Advance | None = None,
) -> Iterator[pa.Table]:
    """Yield the mels of all tracks of `shards`, shard by shard, in blocks of at most `BLOCK_TRACKS` tracks.

    Decoding writes the shard's parts of `health` and `rejects`; with `keep_mels`, also its part of `mels`, and with a
    `network` its part of `network_vectors`.
    """
    options = {"keep_mels": keep_mels, "network": network, "on_progress": on_progress}
    for clips in iter_results(store, tracks, shards, config, workers, results=[MELS_PART], **options):
        yield from clips.blocks


def iter_results(
    store: Store,
    tracks: DatasetRef,
    shards: Sequence[int],
    config: MelsConfig,
    workers: Workers,
    *,
    results: Sequence[Results],
    keep_mels: bool,
    network: DatasetRef | None = None,
    on_progress: Advance | None = None,
) -> Iterator[ShardClips]:
    """Yield the clips of each shard, in order, without the tracks that have a result in one of `results` already.

    Blocks of a shard that the caller did not take are skipped; the parts are written all the same. Progress counts all
    tracks of the catalog.
    """
    history = History(store, tracks, config)
    plans = (
        plan_shard(history, shard, table, workers.retry, results, network)
        for shard, table in iter_shards(store, tracks, shards)
    )
    wanted = set(shards)
    sizes = {shard_of(part.name): part.rows or 0 for part in store.manifest(tracks).parts}
    total, done = sum(sizes[shard] for shard in wanted & sizes.keys()), 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        if on_progress:
            on_progress(done, total)

    def counted(decoded: Decoded) -> Decoded:
        for result in decoded:
            advance(1)
            yield result

    for plan, decoded in iter_decoded(plans, config, workers, store.root, network):
        clips = ShardClips(store, plan, counted(decoded), workers.retry, keep_mels, network)
        yield clips
        for _ in clips.blocks:
            pass
        advance(sizes[plan.shard] - plan.todo.num_rows)


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
