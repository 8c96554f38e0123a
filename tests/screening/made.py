"""A store that can be screened, made by hand in a second: no audio, no model, an index over directions at random."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.pipeline.index_neighbors import FILE, SCHEMA, index_neighbors_bytes
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS, EMBEDDINGS

PART = "000000-made"


def publish(store: Store, dataset: str, table: pa.Table, *parents: DatasetRef) -> DatasetRef:
    store.write_part(dataset, PART, table)
    return store.commit(dataset, [PART], recipe="made", config={}, parents=parents)


def make_store(
    root: str,
    n: int,
    *,
    copies: Mapping[int, int] | None = None,
    rejected: Sequence[int] = (),
    near: Sequence[Sequence[int]] | None = (),
    health: Mapping[int, Mapping[str, Any]] | None = None,
) -> Store:
    """Tracks t0 to t<n-1>, of which `copies` have the bytes of another, `rejected` no embedding, `near` one recording.

    With `near=None` the index is from before near duplicates were looked for.
    """
    store, copies = Store(root), copies or {}
    ids = [f"t{i}" for i in range(n)]
    row = {"label": "Folk", "album": "C", "shard": 0, "added_at": datetime(2026, 1, 2, tzinfo=UTC)}
    rows = [
        {
            **row,
            "track_id": t,
            "uri": f"/music/{t}.mp3",
            "title": "[/b] Title" if i == 14 else f"Title {t}",
            "artist": f"Artist {i % 7}",
        }
        | {"duplicate_of": f"t{copies[i]}" if i in copies else None}
        for i, t in enumerate(ids)
    ]
    tracks = publish(store, "tracks", pa.Table.from_pylist(rows, schema=DATASETS["tracks"].schema))
    bad = [{"track_id": f"t{i}", "stage": "mels", "reason": "silent", "detail": ""} for i in rejected]
    rejects = publish(store, "rejects", pa.Table.from_pylist(bad, schema=DATASETS["rejects"].schema), tracks)
    embedded = [i for i in range(n) if i not in copies and i not in set(rejected)]
    evidence = [{"track_id": f"t{i}", **(health or {}).get(i, {})} for i in embedded]
    measured = publish(store, "health", pa.Table.from_pylist(evidence, schema=DATASETS["health"].schema), tracks)
    model = commit_artifact(store, "model", {"w": b""}, derived={}, recipe="made", config={}, parents=[])
    vectors = np.random.default_rng(0).standard_normal((len(embedded), 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = EmbeddingTable([ids[i] for i in embedded], vectors, str(model))
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=EMBEDDINGS.field("embedding").type)
    zeros = np.zeros(len(embedded), np.float32)
    columns = [table.track_ids, values, zeros.astype(np.int16), zeros > 0, zeros, zeros]
    embeddings = publish(
        store,
        "embeddings",
        pa.Table.from_arrays([pa.array(c) for c in columns], schema=EMBEDDINGS),
        tracks,
        model,
        measured,
        rejects,
    )
    make_index(store, table, embeddings, near)
    return store


def make_index(
    store: Store, table: EmbeddingTable, embeddings: DatasetRef, near: Sequence[Sequence[int]] | None, recipe: str = "a"
) -> DatasetRef:
    """An index with groups of near duplicates as wished, all of sameness .9; another recipe gives another version."""
    group = {f"t{i}": f"t{members[0]}" for members in near or () for i in members}
    ids = table.track_ids.to_pylist()
    neighborhood = pa.Table.from_arrays(
        [
            pa.array(ids),
            pa.array(np.zeros(len(ids), np.float32)),
            pa.array([group.get(t) for t in ids], pa.string()),
            pa.array([0.9 if t in group else None for t in ids], pa.float32()),
        ],
        schema=SCHEMA,
    )
    derived = {} if near is None else {FILE: index_neighbors_bytes(neighborhood)}
    files = SearchIndex.build(table, IndexConfig(factory="Flat")).to_files()
    parents = [embeddings, store.manifest(embeddings).parent("model")]
    return commit_artifact(store, "index", files, derived=derived, recipe=recipe, config={}, parents=parents)
