"""Stores without audio: synthetic embeddings and mels, indexed by `build_index`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.pipeline.config import MelsConfig
from audioae.pipeline.extraction import extraction_fingerprint
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS
from tests.search.made import clustered

STARTS_S = (5.0, 15.0, 25.0, 35.0)  # where the clips of each track begin


def made_store(
    root: Path,
    n: int = 12,
    *,
    copies: Mapping[int, int] | None = None,
    same_bytes: Mapping[int, int] | None = None,
    rejected: Sequence[int] = (),
    pending: Sequence[int] = (),
    indexed: bool = True,
    columns: Mapping[str, Sequence[Any]] | None = None,
    model: bytes = b"",
) -> Store:
    """Make a store of tracks "t00", "t01" ... titled "Title 0", "Title 1" ..., with different artists and two styles.

    Parameters
    ----------
    root : Path
        The folder of the store.
    n : int
        The number of tracks.
    copies : mapping of int to int
        Tracks that are re-encoded copies of an earlier track.
    same_bytes : mapping of int to int
        Tracks that are byte-identical to an earlier track.
    rejected, pending : sequence of int
        Tracks without an embedding.
    indexed : bool
        Whether to build an index.
    columns : mapping of name to values
        Further columns of `tracks`, or replacements.
    model : bytes
        The weights; empty: no audio can be embedded.
    """
    store, (copies, same_bytes) = Store(str(root)), (copies or {}, same_bytes or {})
    ids = [f"t{i:02d}" for i in range(n)]
    original = [copies.get(i, i) for i in range(n)]
    rows = {
        "track_id": ids,
        "uri": [f"/music/{track_id}.mp3" for track_id in ids],
        "title": [f"Title {i}" for i in range(n)],
        "artist": [f"artist {i}" for i in original],
        "label": [f"style {i % 2}" for i in original],
        "duration_s": [180.0 + i for i in original],
        "content_hash": [f"{same_bytes.get(i, i):032x}" for i in range(n)],
        "shard": [0] * n,
        "added_at": [datetime(2026, 1, 1, tzinfo=UTC)] * n,
        "duplicate_of": [ids[same_bytes[i]] if i in same_bytes else None for i in range(n)],
        **(columns or {}),
    }
    tracks = _commit(store, "tracks", rows, n)
    decoded = [i for i in range(n) if i not in {*same_bytes, *rejected, *pending}]
    rejects = {"track_id": [ids[i] for i in rejected], "reason": ["silent"] * len(rejected)}
    rejects |= {"stage": ["mels"] * len(rejected), "detail": ["peak -inf dBFS"] * len(rejected)}
    evidence = {"track_id": [ids[i] for i in decoded], "duration_s": [180.0 + original[i] for i in decoded]}
    evidence["rms_dbfs"] = [-30.0 + i for i in decoded]
    extraction = extraction_fingerprint(0, store.read(tracks), MelsConfig())
    parents = [tracks, _commit_model(store, tracks, model)]
    parents.append(_commit(store, "rejects", rejects, len(rejected), tracks, name=extraction))
    parents.append(_commit(store, "health", evidence, len(decoded), tracks, name=extraction))
    _write_mels(store, extraction, [ids[i] for i in decoded], [original[i] for i in decoded])
    noise = 0.01 * np.random.default_rng(1).standard_normal((n, 128))
    vectors = clustered(n, seed=1)[original] + noise * np.array([i in copies for i in range(n)])[:, None]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)[decoded]
    vector_type = DATASETS["embeddings"].schema.field("embedding").type
    values = {
        "track_id": [ids[i] for i in decoded],
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=vector_type),
        "n_clips": [len(STARTS_S)] * len(decoded),
        "padded": [False] * len(decoded),
        "reconstruction_error": [0.0] * len(decoded),
        "spread": [0.0] * len(decoded),
    }
    embeddings = _commit(store, "embeddings", values, len(decoded), *parents)
    if indexed:
        build_index(store, IndexConfig(), embeddings)
    return store


def _commit(
    store: Store, dataset: str, columns: Mapping[str, Any], n: int, *parents: DatasetRef, name: str = "000000-made"
) -> DatasetRef:
    schema = DATASETS[dataset].schema
    arrays = [
        columns[field.name]
        if isinstance(columns.get(field.name), pa.Array)
        else pa.array(columns.get(field.name, [None] * n), field.type)
        for field in schema
    ]
    config = {"mels": MelsConfig().model_dump(mode="json")}
    store.write_part(dataset, name, pa.Table.from_arrays(arrays, schema=schema))
    return store.commit(dataset, [name], recipe="made", config=config, parents=parents)


def _commit_model(store: Store, tracks: DatasetRef, weights: bytes) -> DatasetRef:
    files = {"model.safetensors": weights}
    return commit_artifact(store, "model", files, derived={}, recipe="made", config={}, parents=[tracks])


@cache
def random_weights() -> bytes:
    """A model that nobody trained: it embeds, and close embeddings mean nothing."""
    from audioae.model.autoencoder import build_model
    from audioae.model.config import ModelConfig
    from audioae.model.weights import model_to_bytes

    return model_to_bytes(build_model(ModelConfig()))


def _write_mels(store: Store, name: str, ids: list[str], original: list[int]) -> None:
    """Write different noise for each recording; its copies get the same noise."""
    n = len(STARTS_S)
    codes = [np.random.default_rng(i).integers(0, 256, (n, 128 * 130)).astype(np.uint8) for i in original]
    schema = DATASETS["mels"].schema
    columns = [
        pa.array(np.repeat(ids, n).tolist(), pa.string()),
        pa.array(list(range(n)) * len(ids), pa.int16()),
        pa.array([*STARTS_S] * len(ids), pa.float32()),
        pa.array([-3.0] * n * len(ids), pa.float32()),
        pa.array([False] * n * len(ids)),
        pa.FixedSizeBinaryArray.from_buffers(
            schema.field("mel").type, n * len(ids), [None, pa.py_buffer(np.concatenate(codes))]
        ),
    ]
    store.write_part("mels", name, pa.Table.from_arrays(columns, schema=schema))
