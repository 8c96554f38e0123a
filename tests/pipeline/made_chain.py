"""The datasets from `tracks` to `embeddings`, of any number of shards, without audio: as a finished chain leaves them.

Conventions
-----------
- Parts have the names that the stages look for, so a run over the store finds everything done.
- In each shard the last track is rejected; in the shards `failing`, the first failed once for a reason of the moment.
- Every part of `mels` has one row: no stage that has nothing to do reads it.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from audioae.pipeline.config import MelsConfig
from audioae.pipeline.embed import commit_embeddings, embeddings_part
from audioae.pipeline.extraction import extraction_fingerprint, partial_fingerprint
from audioae.pipeline.mels import commit_mels
from audioae.pipeline.shards import part_fingerprint
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Part
from audioae.store.schemas import DATASETS

CONFIG = MelsConfig()


def made_tracks(store: Store, shards: int, per_shard: int, *, edition: int = 0) -> DatasetRef:
    """Publish `tracks`; another `edition` has other audio in its last shard."""
    names = []
    with store.snapshot():
        for shard in range(shards):
            content = [per_shard, edition if shard == shards - 1 else 0]
            names.append(part_fingerprint(shard, content))
            if not store.has_part("tracks", names[-1]):
                store.write_part("tracks", names[-1], _tracks(shard, per_shard, content[1]))
    return store.commit("tracks", names, recipe=f"made-{shards}-{per_shard}-{edition}", config={})


def made_model(store: Store, tracks: DatasetRef) -> DatasetRef:
    """Publish a `model` that nothing can load."""
    files = {"model.safetensors": b"made"}
    return commit_artifact(store, "model", files, derived={}, recipe="made", config={"n_tracks": 1}, parents=[tracks])


def made_parts(
    store: Store, tracks: DatasetRef, model: DatasetRef, shards: Sequence[int], failing: Collection[int] = ()
) -> None:
    """Write what decoding and embedding the shards leaves."""
    parts = store.manifest(tracks).parts
    with store.snapshot():
        _write_parts(store, parts, model, shards, failing)


def _write_parts(
    store: Store, parts: Sequence[Part], model: DatasetRef, shards: Sequence[int], failing: Collection[int]
) -> None:
    for shard in shards:
        table = store.read_part("tracks", parts[shard].name.removesuffix(".parquet"))
        ids = table["track_id"].to_pylist()
        rows = [{"track_id": ids[-1], "stage": "mels", "reason": "silent", "detail": "peak -inf dBFS"}]
        if shard in failing:
            again = {"attempts": 1, "retry_at": datetime.now(UTC) + timedelta(days=1)}
            rows.insert(0, {"track_id": ids[0], "stage": "mels", "reason": "timeout", "detail": "60 s", **again})
        rejects = pa.Table.from_pylist(rows, DATASETS["rejects"].schema)
        failures = rejects.filter(rejects["attempts"].is_valid())
        name = partial_fingerprint(extraction_fingerprint(shard, table, CONFIG), failures)
        good = ids[1:-1] if shard in failing else ids[:-1]
        store.write_part("health", name, _rows("health", good))
        store.write_part("rejects", name, rejects)
        store.write_part("mels", name, _rows("mels", good[:1]))
        store.write_part("embeddings", embeddings_part(name, model), _rows("embeddings", good))


def made_chain(store: Store, shards: int, per_shard: int = 3, failing: Collection[int] = ()) -> tuple[DatasetRef, ...]:
    """Publish everything of a chain; returns the refs of tracks, model and embeddings."""
    tracks = made_tracks(store, shards, per_shard)
    model = made_model(store, tracks)
    made_parts(store, tracks, model, range(shards), failing)
    commit_mels(store, CONFIG, tracks, max_reject_rate=0.5)
    return tracks, model, commit_embeddings(store, CONFIG, tracks, model, max_reject_rate=0.5)


def _tracks(shard: int, n: int, edition: int) -> pa.Table:
    ids = [f"{edition}{shard:06d}{i:05d}" for i in range(n)]
    columns = {
        "track_id": ids,
        "uri": [f"/music/{track_id}.mp3" for track_id in ids],
        "content_hash": [track_id * 2 for track_id in ids],
        "shard": [shard] * n,
        "added_at": [datetime(2026, 1, 1, tzinfo=UTC)] * n,
    }
    schema = DATASETS["tracks"].schema
    arrays = [pa.array(columns.get(field.name, [None] * n), field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _rows(dataset: str, ids: Sequence[str]) -> pa.Table:
    """Rows of these tracks in which everything else is zero, or null where it may be."""
    n, arrays = len(ids), []
    for field in DATASETS[dataset].schema:
        kind = field.type
        if field.name == "track_id":
            arrays.append(pa.array(ids, pa.string()))
        elif field.nullable:
            arrays.append(pa.nulls(n, kind))
        elif pa.types.is_fixed_size_list(kind):
            zeros = np.zeros(n * kind.list_size, kind.value_type.to_pandas_dtype())
            arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(zeros), type=kind))
        elif pa.types.is_fixed_size_binary(kind):
            arrays.append(pa.array([bytes(kind.byte_width)] * n, kind))
        else:
            arrays.append(pa.array(np.zeros(n, kind.to_pandas_dtype()), kind))
    return pa.Table.from_arrays(arrays, schema=DATASETS[dataset].schema)
