"""From shards of tracks to the mels of their clips; each file is decoded once.

Conventions
-----------
- One decode of a shard gives three tables: `mels`, `health` (evidence of faults) and `rejects` (unusable tracks, with
  reasons). Their parts share one fingerprint; `mels`, if it is stored at all, is written last.
- Every stage that needs clips calls `iter_clips`: it reads mels that are stored and decodes the others, with identical
  results. A catalog can therefore be embedded without ever storing its mels.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from audioae.constants import N_FRAMES, N_MELS
from audioae.errors import AudioError
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.shards import iter_shards, part_fingerprint
from audioae.progress import Advance
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import HEALTH, MELS, REJECTS

if TYPE_CHECKING:
    from audioae.audio.extract import Extracted


CODE = 2  # raise it when the same file would give different clips, evidence or reasons


def extraction_fingerprint(shard: int, tracks: pa.Table, config: MelsConfig) -> str:
    """Name the parts that decoding `tracks` gives, by the content of its files, the settings and the code version."""
    usable = _decodable(tracks)
    content = [usable["track_id"].to_pylist(), usable["content_hash"].to_pylist()]
    return part_fingerprint(shard, [CODE, config.clips.model_dump(), config.decode.model_dump(), content])


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
    """Yield (shard, fingerprint, mels table) for each shard, in order.

    Decoding a shard writes its parts of `health` and `rejects`; with `keep_mels`, also its part of `mels`.
    """
    from audioae.audio.extract import extract
    from audioae.audio.workers import imap_killable

    tables = dict(iter_shards(store, tracks, shards))
    names = {shard: extraction_fingerprint(shard, table, config) for shard, table in tables.items()}
    stored = {shard: store.has_part("mels", name) for shard, name in names.items()}
    rows = {shard: _decodable(table) for shard, table in tables.items()}
    total = sum(table.num_rows for table in rows.values())
    done = 0

    items = (
        (row["track_id"], (row["uri"], config.clips, config.decode))
        for shard, table in rows.items()
        if not stored[shard]
        for row in table.select(["track_id", "uri"]).to_pylist()
    )
    results = imap_killable(extract, items, workers=workers.n, timeout_s=workers.timeout_s)
    for shard, table in rows.items():
        if stored[shard]:
            mels = store.read_part("mels", names[shard])
        else:
            shard_results = []
            for track_id, result in islice(results, table.num_rows):
                shard_results.append((str(track_id), result))
                if on_progress:
                    on_progress(done + len(shard_results), total)
            mels = _write(store, names[shard], shard_results, keep_mels)
        done += table.num_rows
        if on_progress:
            on_progress(done, total)
        yield shard, names[shard], mels


def _decodable(tracks: pa.Table) -> pa.Table:
    return tracks.filter(tracks["duplicate_of"].is_null())


def _write(store: Store, name: str, results: "list[tuple[str, Extracted | AudioError]]", keep_mels: bool) -> pa.Table:
    good = [(track_id, result) for track_id, result in results if not isinstance(result, AudioError)]
    bad = [(track_id, result) for track_id, result in results if isinstance(result, AudioError)]
    health = [{"track_id": track_id, **result.health} for track_id, result in good]
    rejects = [
        {"track_id": track_id, "stage": "mels", "reason": error.reason, "detail": error.detail}
        for track_id, error in bad
    ]
    mels = _mels_table(good)
    store.write_part("health", name, pa.Table.from_pylist(health, schema=HEALTH))
    store.write_part("rejects", name, pa.Table.from_pylist(rejects, schema=REJECTS))
    if keep_mels:
        store.write_part("mels", name, mels)
    return mels


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
    mel_type = MELS.field("mel").type
    mels = pa.FixedSizeListArray.from_arrays(pa.array(codes.reshape(-1)), type=mel_type)
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
    column = mels["mel"].combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # an empty table has no chunk to combine
        return np.empty((0, N_MELS, N_FRAMES), np.uint8)
    return column.flatten().to_numpy(zero_copy_only=True).reshape(-1, N_MELS, N_FRAMES)
