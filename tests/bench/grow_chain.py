"""Cases of growth: the stages embed and index on n made tracks.

Conventions
-----------
- A made track has one clip, one of 16; the mels of a shard are stored. The model is the PCA baseline with components of
  nothing: encoding costs the same for every clip, and this costs little, so that what is measured is everything else.
- A store for `embed` is made once per size, beside `root`; the embeddings of an earlier call are deleted.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.pipeline.extraction import extraction_fingerprint
from audioae.pipeline.index import build_index
from audioae.pipeline.shards import iter_shards, shard_numbers
from audioae.search.factory import IndexConfig
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS, HEALTH, MELS
from tests.bench.made_catalog import million

N_CLIPS = 16  # different ones
CONFIG = MelsConfig()


def embed(root: Path, n: int) -> Iterator[None]:
    """Embed n made tracks from stored mels, and publish them."""
    store, tracks, model = embed_store(root, n)
    shutil.rmtree(Path(store.root) / "embeddings", ignore_errors=True)
    yield
    compute_embeddings(store, CONFIG, tracks, model, shard_numbers(store, tracks), Workers())
    ref = commit_embeddings(store, CONFIG, tracks, model, max_reject_rate=0.2)
    assert store.manifest(ref).rows == n


def embed_again(root: Path, n: int) -> Iterator[None]:
    """Find that nothing is to be embedded, and publish the same version again."""
    store, tracks, model = embed_store(root, n)
    if store.latest("embeddings") is None:
        compute_embeddings(store, CONFIG, tracks, model, shard_numbers(store, tracks), Workers())
        commit_embeddings(store, CONFIG, tracks, model, max_reject_rate=0.2)
    before = store.latest("embeddings")
    yield
    store = Store(store.root)
    assert not pending_embeddings(store, CONFIG, tracks, model)
    assert commit_embeddings(store, CONFIG, tracks, model, max_reject_rate=0.2) == before


def index(root: Path, n: int) -> Iterator[None]:
    """Build and publish an index of n made embeddings, measured by its gate."""
    store = million(root, n, health=True)
    for name in ("index", "index_training", "index_lists"):
        shutil.rmtree(root / name, ignore_errors=True)
    yield
    build_index(store, IndexConfig(), store.require("embeddings"))


def embed_store(root: Path, n: int) -> tuple[Store, DatasetRef, DatasetRef]:
    """A store with the catalog, mels and evidence of n made tracks, and a model."""
    source, store = million(root, n, health=True), Store(f"{root}-embed")
    if not store.latest("mels"):
        _make(source, store)
    return store, store.require("tracks"), store.require("model")


def _make(source: Store, store: Store) -> None:
    from audioae.model.pca import PcaModel
    from audioae.model.weights import model_to_bytes

    names = [part.name.removesuffix(".parquet") for part in source.manifest(source.require("tracks")).parts]
    for name in names:
        store.write_part("tracks", name, source.read_part("tracks", name))
    tracks = store.commit("tracks", names, recipe="made", config={})
    settings = CONFIG.model_dump(mode="json")
    extractions = []
    for shard, table in iter_shards(store, tracks):
        ids = table.filter(table["duplicate_of"].is_null())["track_id"].combine_chunks()
        extractions.append(extraction_fingerprint(shard, table, CONFIG))
        store.write_part("health", extractions[-1], _health(ids))
        store.write_part("rejects", extractions[-1], DATASETS["rejects"].schema.empty_table())
        store.write_part("mels", extractions[-1], _mels(ids))
    evidence = [
        store.commit(dataset, extractions, recipe="made", config=settings, parents=[tracks])
        for dataset in ("health", "rejects")
    ]
    mels = store.commit("mels", extractions, recipe="made", config=settings, parents=[tracks, *evidence])
    files = {"model.safetensors": model_to_bytes(PcaModel())}
    commit_artifact(store, "model", files, derived={}, recipe="made", config={}, parents=[mels])


def _health(ids: pa.Array) -> pa.Table:
    columns = [ids if field.name == "track_id" else pa.nulls(len(ids), field.type) for field in HEALTH]
    return pa.Table.from_arrays(columns, schema=HEALTH)


def _mels(ids: pa.Array) -> pa.Table:
    n = len(ids)
    clips = np.random.default_rng(0).integers(0, 256, (N_CLIPS, 128 * 130)).astype(np.uint8)
    mels = pa.FixedSizeBinaryArray.from_buffers(
        MELS.field("mel").type, n, [None, pa.py_buffer(clips[np.arange(n) % N_CLIPS])]
    )
    columns = {
        "track_id": ids,
        "clip": pa.array(np.zeros(n, np.int16)),
        "start_s": pa.array(np.zeros(n, np.float32)),
        "peak_db": pa.array(np.zeros(n, np.float32)),
        "padded": pa.array(np.zeros(n, bool)),
        "mel": mels,
    }
    return pa.Table.from_arrays([columns[field.name] for field in MELS], schema=MELS)
