"""Stores of made mels: tracks that sound of a few frequencies and beats, and of nothing else."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from audioae.pipeline.clips import mel_codes
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS, MELS


def mels_of(table: pa.Table) -> np.ndarray:
    """The codes of rows of `mels`, shape (n, 128, 130)."""
    return mel_codes(table)


def commit_mels(
    store: Store, n_shards: int, tracks_per_shard: int, clips_per_track: int, seed: int = 0, recipe: str = "made"
) -> DatasetRef:
    """Publish `mels` of tracks "s00-0000" ..., one part per shard."""
    names = [f"{shard:06d}-made" for shard in range(n_shards)]
    for shard, name in enumerate(names):
        store.write_part("mels", name, made_table(shard, tracks_per_shard, clips_per_track, seed))
    return store.commit("mels", names, recipe=recipe, config={})


def commit_mels_and_tracks(store: Store, n_shards: int, tracks_per_shard: int, clips_per_track: int) -> DatasetRef:
    """The same with their parent `tracks`, which a training needs."""
    schema = DATASETS["tracks"].schema
    for shard in range(n_shards):
        ids = [f"s{shard:02d}-{i:04d}" for i in range(tracks_per_shard)]
        added = [datetime(2026, 1, 1, tzinfo=UTC)] * len(ids)
        columns = {"track_id": ids, "uri": ids, "shard": [shard] * len(ids), "added_at": added}
        arrays = [pa.array(columns.get(field.name, [None] * len(ids)), field.type) for field in schema]
        store.write_part("tracks", f"{shard:06d}-made", pa.Table.from_arrays(arrays, schema=schema))
    names = [f"{shard:06d}-made" for shard in range(n_shards)]
    tracks = store.commit("tracks", names, recipe="made", config={})
    manifest = store.manifest(commit_mels(store, n_shards, tracks_per_shard, clips_per_track))
    return store.publish(manifest.model_copy(update={"parents": {"tracks": tracks.version}}))


def made_table(shard: int, n_tracks: int, clips_per_track: int, seed: int = 0) -> pa.Table:
    """Rows of `mels`: the clips of a track differ in noise and in where they begin."""
    rng = np.random.default_rng((seed, shard))
    n = n_tracks * clips_per_track
    track = np.repeat(np.arange(n_tracks), clips_per_track)
    spectrum = rng.normal(-35, 12, (n_tracks, 8)).astype(np.float32).repeat(16, axis=1)[track][:, :, None]
    period = rng.integers(8, 30, n_tracks)[track][:, None, None]
    phase = rng.integers(0, 30, n)[:, None, None]
    beat = 12 * np.cos(2 * np.pi * (np.arange(130, dtype=np.float32) + phase) / period)
    noise = rng.integers(-4, 5, (128, 130)).astype(np.float32)
    codes = np.clip((spectrum + beat + noise + 80) * 255 / 80, 0, 255).astype(np.uint8)
    ids = np.array([f"s{shard:02d}-{i:04d}" for i in range(n_tracks)])[track]
    peak = np.repeat(rng.uniform(-30, 0, n_tracks), clips_per_track)
    return mels_table(ids, np.tile(np.arange(clips_per_track), n_tracks), peak, codes)


def mels_table(ids: np.ndarray, clip: np.ndarray, peak_db: np.ndarray, codes: np.ndarray) -> pa.Table:
    """Rows of `mels` from arrays; `codes` are (n, 128, 130), uint8."""
    columns = [ids, clip, 10.0 * clip, peak_db, np.zeros(len(ids), bool)]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, list(MELS)[:-1], strict=True)]
    mel, flat = MELS.field("mel").type, pa.py_buffer(np.ascontiguousarray(codes))
    if pa.types.is_fixed_size_binary(mel):
        arrays.append(pa.Array.from_buffers(mel, len(ids), [None, flat]))
    else:
        arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel()), type=mel))
    return pa.Table.from_arrays(arrays, schema=MELS)
