"""Stores with two versions of the embeddings, the second made from the first by a given change; and maps of both."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.pipeline.embeddings import read_embeddings
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS
from tests.stores import made_store

N, N_STYLES = 120, 4


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def styled(n: int = N, seed: int = 0) -> np.ndarray:
    """Vectors of `N_STYLES` separate styles, track i of style i % N_STYLES."""
    centers = 12 * np.eye(N_STYLES, 128)
    return unit(centers[np.arange(n) % N_STYLES] + np.random.default_rng(seed).standard_normal((n, 128)))


def styled_store(root: Path, n: int = N) -> tuple[Store, DatasetRef]:
    """A store of tracks "t00" ... by 5 artists per style, and its first, styled embeddings."""
    columns = {
        "label": [f"style {i % N_STYLES}" for i in range(n)],
        "artist": [f"artist {i % (5 * N_STYLES)}" for i in range(n)],
    }
    store = made_store(root, n, columns=columns)
    return store, retrain(store, lambda vectors: styled(n))


def retrain(
    store: Store,
    change: Callable[[np.ndarray], np.ndarray],
    *,
    leave_out: Sequence[int] = (),
    indexed: bool = True,
) -> DatasetRef:
    """Publish `change(vectors)` as the next version of the current embeddings, of a model of its own."""
    before = store.require("embeddings")
    manifest, table = store.manifest(before), store.read(before)
    vectors = np.ascontiguousarray(unit(change(read_embeddings(store, before).embeddings)), np.float32)
    name = f"000000-{fingerprint(vectors.tobytes().hex())[:12]}"
    number = table.schema.get_field_index("embedding")
    kind = DATASETS["embeddings"].schema.field("embedding").type
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=kind)
    table = table.set_column(number, table.schema.field("embedding"), column)
    table = table.take(pa.array(np.setdiff1d(np.arange(len(table)), leave_out)))
    weights = {"model.safetensors": name.encode()}
    model = commit_artifact(
        store, "model", weights, derived={}, recipe=name, config={}, parents=[manifest.parent("tracks")]
    )
    parents = [DatasetRef(*one) for one in manifest.parents.items() if one[0] != "model"]
    store.write_part("embeddings", name, table)
    ref = store.commit("embeddings", [name], recipe=name, config=manifest.config, parents=[*parents, model])
    if indexed:
        build_index(store, IndexConfig(), ref)
    return ref


def commit_map(store: Store, points: np.ndarray, regions: Sequence[int], names: dict[int, str]) -> DatasetRef:
    """A map of the current index, with given places and regions."""
    index = store.require("index")
    embeddings = store.manifest(index).parent("embeddings")
    ids = store.read(embeddings, ["track_id"])["track_id"]
    number = np.asarray(regions, np.int32)
    columns = [ids, pa.array(points[:, 0], pa.float32()), pa.array(points[:, 1], pa.float32())]
    columns += [pa.array(number), pa.array([True] * len(ids))]
    rows = [
        {"region": one, "name": name, "n": int((number == one).sum()), "x": 0.0, "y": 0.0, "traits": []}
        for one, name in names.items()
    ]
    tag = f"000000-{fingerprint([points.tobytes().hex(), number.tolist()])[:12]}"
    store.write_part("map", tag, pa.Table.from_arrays(columns, schema=DATASETS["map"].schema))
    store.write_part("regions", tag, pa.Table.from_pylist(rows, schema=DATASETS["regions"].schema))
    parents = [index, embeddings]
    found = store.commit("regions", [tag], recipe=tag, config={}, parents=parents)
    return store.commit("map", [tag], recipe=tag, config={}, parents=[*parents, found])
