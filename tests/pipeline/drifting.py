"""A store of made music of two kinds, trained on and embedded by a real but tiny model.

Conventions
-----------
- Music of the kind "tones" has a few bands and a beat; of the kind "noise" it has neither, but clicks.
- An artist has four tracks, which differ less from each other than from those of others.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pyarrow as pa

from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet
from audioae.model.embedder import Embedder
from audioae.model.pca import PcaModel
from audioae.model.train_config import TrainConfig
from audioae.model.training import fit
from audioae.pipeline.embed import embed_tracks
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS
from tests.pipeline.made_mels import mels_table

TRACKS_PER_ARTIST, CLIPS = 4, 2
TRAINED = 8  # shards
Shard = tuple[str, int, int]
"""Kind of music, seed, and number of artists of one shard."""


def sound(kind: str, seed: int, n_artists: int) -> np.ndarray:
    """Codes of a shard's clips, shape (n, 128, 130), uint8: artist by artist, track by track."""
    rng = np.random.default_rng((seed, len(kind)))
    n = n_artists * TRACKS_PER_ARTIST * CLIPS
    artist, track = np.arange(n) // (TRACKS_PER_ARTIST * CLIPS), np.arange(n) // CLIPS
    bands = rng.normal(-40, 12, (n_artists, 8))[artist] + rng.normal(0, 4, (n // CLIPS, 8))[track]
    frames, phase = np.arange(130), rng.integers(0, 30, n)[:, None]
    if kind == "tones":
        period = rng.integers(10, 30, n_artists)[artist][:, None]
        db = bands.repeat(16, axis=1)[:, :, None] + 10 * np.cos(2 * np.pi * (frames + phase) / period)[:, None]
    else:
        clicks = 40.0 * (rng.random((n, 1, 130)) < 0.1)
        db = -45 + 0.2 * bands.repeat(16, axis=1)[:, :, None] + clicks + rng.normal(0, 10, (n, 128, 130))
    db = db + rng.normal(0, 2, db.shape)
    return np.clip((db - db.max(axis=(1, 2), keepdims=True) + 80) * 255 / 80, 0, 255).astype(np.uint8)


@cache
def trained_model() -> ConvAutoencoder | PcaModel:
    """A tiny model of the first eight shards, which are "tones"."""
    codes = np.concatenate([sound("tones", seed, 10) for seed in range(TRAINED)])
    clips = ClipSet(codes, np.zeros(len(codes), np.float32), np.arange(len(codes)) // CLIPS)
    config = TrainConfig(steps=80, batch_size=32, warmup=10, accelerator="cpu", validate_every=80, seed=1)
    return fit(ModelConfig(channels=(2, 4, 4, 8)), config, clips).model


def make_store(root: str, new: Sequence[Shard], rejected: dict[int, int] | None = None) -> tuple[Store, DatasetRef]:
    """The store of the training's eight shards and of `new` ones after them; `rejected` tracks by shard."""
    store, rejected = Store(root), rejected or {}
    shards: list[Shard] = [("tones", seed, 10) for seed in range(TRAINED)]
    before = _commit_tracks(store, shards)
    mels = _commit(store, "mels", {"000000-made": DATASETS["mels"].schema.empty_table()}, [before])
    files = {"model.safetensors": b"weights"}
    model = commit_artifact(store, "model", files, derived={}, recipe="made", config={}, parents=[mels])
    shards = [*shards, *new]
    tracks = _commit_tracks(store, shards)
    embedder = Embedder(trained_model(), "cpu")
    embeddings, rejects = {}, {}
    for number, (kind, seed, n_artists) in enumerate(shards):
        codes, n = sound(kind, seed, n_artists), n_artists * TRACKS_PER_ARTIST
        ids = np.array(_ids(number, n))
        mels_of_shard = mels_table(np.repeat(ids, CLIPS), np.tile(np.arange(CLIPS), n), np.zeros(n * CLIPS), codes)
        k = rejected.get(number, 0)
        embeddings[f"{number:06d}-made"] = embed_tracks(mels_of_shard, embedder).slice(k)
        rows = {"track_id": ids[:k].tolist(), "stage": ["mels"] * k, "reason": ["silent"] * k, "detail": ["-"] * k}
        rejects[f"{number:06d}-made"] = _table("rejects", rows, k)
    rejects_ref = _commit(store, "rejects", rejects, [tracks])
    return store, _commit(store, "embeddings", embeddings, [tracks, model, rejects_ref])


def _ids(shard: int, n: int) -> list[str]:
    return [f"s{shard:02d}-{i:03d}" for i in range(n)]


def _commit_tracks(store: Store, shards: Sequence[Shard]) -> DatasetRef:
    tables = {}
    for number, (kind, seed, n_artists) in enumerate(shards):
        n = n_artists * TRACKS_PER_ARTIST
        rows = {
            "track_id": _ids(number, n),
            "uri": _ids(number, n),
            "artist": [f"{kind} {seed} {i // TRACKS_PER_ARTIST}" for i in range(n)],
            "shard": [number] * n,
            "added_at": [datetime(2026, 1, 1, tzinfo=UTC)] * n,
        }
        tables[f"{number:06d}-{kind}{seed}"] = _table("tracks", rows, n)
    return _commit(store, "tracks", tables, [])


def _table(dataset: str, rows: dict[str, list], n: int) -> pa.Table:
    schema = DATASETS[dataset].schema
    return pa.Table.from_arrays([pa.array(rows.get(f.name, [None] * n), f.type) for f in schema], schema=schema)


def _commit(store: Store, dataset: str, tables: dict[str, pa.Table], parents: list[DatasetRef]) -> DatasetRef:
    for name, table in tables.items():
        store.write_part(dataset, name, table)
    return store.commit(dataset, list(tables), recipe=f"made of {len(tables)}", config={}, parents=parents)
