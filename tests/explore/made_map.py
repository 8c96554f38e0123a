"""A made map of a made store: tracks on a grid, in two regions, one track in none."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS

REGIONS = ("low <b>land</b>", "high land")
WIDTH = 8


def add_map(store: Store, *, seed: int = 0, without: Collection[str] = ()) -> DatasetRef:
    """Publish a map of the store's current index: embedding number i is at (i % 8, i // 8), moved by `seed`.

    Tracks `without` a place are left out.
    """
    index = store.require("index")
    embeddings = store.manifest(index).parent("embeddings")
    ids = store.read(embeddings, ["track_id"])["track_id"].to_pylist()
    n = len(ids)
    x, y = np.arange(n) % WIDTH + 10.0 * seed, np.arange(n) // WIDTH
    region = np.where(np.arange(n) < n // 3, 4, 0)
    region[-1] = -1
    numbers = [0, 4] if (region == 0).sum() >= (region == 4).sum() else [4, 0]
    regions = {
        "region": numbers,
        "name": [REGIONS[number == 0] for number in numbers],
        "n": [int((region == number).sum()) for number in numbers],
        "x": [float(x[region == number].mean()) for number in numbers],
        "y": [float(y[region == number].mean()) for number in numbers],
        "traits": [[] for _ in numbers],
    }
    named = _commit(store, "regions", regions, embeddings, f"regions-{seed}-{index.version}")
    kept = [place for place, track_id in enumerate(ids) if track_id not in without]
    places = {"track_id": [ids[place] for place in kept], "fitted": [True] * len(kept)}
    places |= {"x": x[kept], "y": y[kept], "region": region[kept]}
    return _commit(store, "map", places, index, f"map-{seed}-{index.version}", embeddings, named)


def add_findings(store: Store, rows: Sequence[tuple[str, str, float | None, bool]]) -> DatasetRef:
    """Publish findings: track_id, check, score and whether it is an issue."""
    names = ("track_id", "check", "score", "is_issue")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    stamp = datetime.now(UTC).strftime("%H%M%S%f")
    return _commit(store, "findings", columns, store.require("index"), f"findings-{stamp}")


def _commit(store: Store, dataset: str, columns: dict, parent: DatasetRef, name: str, *more: DatasetRef) -> DatasetRef:
    schema = DATASETS[dataset].schema
    n = len(next(iter(columns.values())))
    arrays = [pa.array(columns.get(field.name, [None] * n), field.type) for field in schema]
    store.write_part(dataset, name, pa.Table.from_arrays(arrays, schema=schema))
    return store.commit(dataset, [name], recipe=f"made-{name}", config={}, parents=[parent, *more])
