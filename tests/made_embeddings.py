"""Versions of embeddings, part by part: what a catalog of shards gives to the index, without audio."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from audioae.pipeline.config import MelsConfig
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS


def commit_parts(
    store: Store, parts: Sequence[np.ndarray], *, names: Sequence[Sequence[str]] | None = None, model: bytes = b""
) -> DatasetRef:
    """Publish `embeddings` with one part per array of unit vectors (n, 128), and everything it is made from.

    Track 7 of part 3 is "3-00007" unless `names` says otherwise; a part of the same tracks and vectors has the same
    name in every version. `tracks` and `health` are empty: no track has a known duration.
    """
    tracks = _commit(store, "tracks", {"000000-made": DATASETS["tracks"].schema.empty_table()})
    parents = [tracks]
    for dataset in ("health", "rejects"):
        parents.append(_commit(store, dataset, {"000000-made": DATASETS[dataset].schema.empty_table()}, tracks))
    files = {"model.safetensors": model}
    parents.append(commit_artifact(store, "model", files, derived={}, recipe="made", config={}, parents=[tracks]))
    names = names or [[f"{number}-{row:05d}" for row in range(len(part))] for number, part in enumerate(parts)]
    tables = {}
    for number, (ids, part) in enumerate(zip(names, parts, strict=True)):
        content = hashlib.sha256(part.tobytes() + "\n".join(ids).encode()).hexdigest()[:16]
        tables[f"{number:06d}-{content}"] = embeddings_part(ids, part)
    return _commit(store, "embeddings", tables, *parents)


def embeddings_part(ids: Sequence[str], vectors: np.ndarray) -> pa.Table:
    """A part of `embeddings`."""
    n, schema = len(vectors), DATASETS["embeddings"].schema
    arrays = [
        pa.array(ids, pa.string()),
        pa.FixedSizeListArray.from_arrays(
            pa.array(np.ascontiguousarray(vectors, np.float32).ravel()), type=schema.field("embedding").type
        ),
        pa.array(np.full(n, 4, np.int16)),
        pa.array(np.zeros(n, bool)),
        *(pa.array(np.full(n, 0.1, np.float32)) for _ in range(2)),
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _commit(store: Store, dataset: str, tables: Mapping[str, pa.Table], *parents: DatasetRef) -> DatasetRef:
    for name, table in tables.items():
        store.write_part(dataset, name, table)
    config = {"mels": MelsConfig().model_dump(mode="json")}
    return store.commit(dataset, list(tables), recipe="made", config=config, parents=parents)
