"""A store of any number of made tracks, built by blocks within minutes: the catalog that benchmarks of 1,000,000 ask.

`python -m tests.bench.made_catalog FOLDER [N] [--health]` builds it, unless the folder holds one of this size.

Conventions
-----------
- `n` tracks are embedded, around artists around styles (`tests.search.made.clustered`). One more in a hundred is
  byte-identical to one of them, and one in two hundred is a near duplicate of the row before it, as in real catalogs.
- 1 % of the tracks have the label `LABELS[0]` and 10 % the label `LABELS[1]`, whatever they sound like. One in
  fifty has no label, artist, album, year or duration.
- `index.faiss` is that of `build_index` with the factory `auto`. The neighborhood is made up:
  measuring it would take longer than all the rest, and no query's time depends on its values.
"""

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.pipeline.config import MelsConfig
from audioae.pipeline.index import index_files
from audioae.pipeline.index_lists import compute_index, pending_index, train_index
from audioae.pipeline.index_neighbors import FILE, SCHEMA, index_neighbors_bytes
from audioae.search.factory import IndexConfig
from audioae.store.artifacts import commit_artifact, staging
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS
from tests.screening.corrupt.made import evidence
from tests.search.made import clustered

SHARD = 10_000  # embedded tracks per part
LABELS = ("one percent", "ten percent")
STYLES = [*LABELS, *(f"style {number}" for number in range(50))]
SHARES = np.array([0.01, 0.10, *[0.89 / 50] * 50])
FIRST = np.array(["Night", "Slow", "Blue", "Golden", "Silent", "Distant", "Broken", "Écho"])
SECOND = np.array(["Drive", "Rain", "Snow", "River", "Dance", "Light", "Hour", "Café"])
FIRST_DAY = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1e6)  # microseconds
DAY = 86_400_000_000


def million(root: Path, n: int = 1_000_000, *, health: bool = False) -> Store:
    """The store in `root`, built first if it is not there: `n` embedded tracks and n / 100 byte-identical ones.

    With `health`, each embedded track has made evidence of faults; without, the dataset is empty.
    """
    store, recipe = Store(str(root), verify=False), f"million-{n}{'-health' * health}"
    if not store.find("index", recipe):
        config = {"mels": MelsConfig().model_dump(mode="json")}
        refs = _publish_tables(store, n, recipe, health=health)
        embeddings = store.commit("embeddings", refs.pop("names"), recipe=recipe, config=config, parents=refs.values())
        _publish_index(store, embeddings, recipe)
    return store


def _publish_tables(store: Store, n: int, recipe: str, *, health: bool) -> dict[str, Any]:
    """Write the parts of `tracks` and `embeddings`; publish all parents of the embeddings."""
    names = []
    for shard, size in enumerate(_sizes(n)):
        names.append(f"{shard:06d}-{recipe}")
        tracks = made_tracks(shard, size, n)
        store.write_part("tracks", names[-1], tracks)
        store.write_part("embeddings", names[-1], _embeddings(tracks, shard, n))
        if health:
            store.write_part("health", names[-1], _health(tracks, shard))
    tracks_ref = store.commit("tracks", names, recipe=recipe, config={})
    refs: dict[str, Any] = {"names": names, "tracks": tracks_ref}
    parts = {"health": names} if health else {}
    for dataset in ("health", "rejects"):
        if dataset not in parts:
            store.write_part(dataset, f"000000-{recipe}", DATASETS[dataset].schema.empty_table())
        of_dataset = parts.get(dataset, [f"000000-{recipe}"])
        refs[dataset] = store.commit(dataset, of_dataset, recipe=recipe, config={}, parents=[tracks_ref])
    files, config = {"model.safetensors": b""}, {}
    refs["model"] = commit_artifact(
        store, "model", files, derived={}, recipe=recipe, config=config, parents=[tracks_ref]
    )
    return refs


def _publish_index(store: Store, embeddings: DatasetRef, recipe: str) -> DatasetRef:
    config = IndexConfig(n_queries=1000)
    if training := train_index(store, config, embeddings):
        compute_index(store, embeddings, training, pending_index(store, embeddings, training))
    with staging(store, "index") as folder:
        made = index_files(store, config, embeddings, training, folder)
        neighbors = index_neighbors_bytes(_neighbors(made.index.ids))
        parents = [embeddings, store.manifest(embeddings).parent("model")]
        derived = {"gate.json": json.dumps(made.gate).encode(), FILE: neighbors}
        return commit_artifact(store, "index", made.files, derived=derived, recipe=recipe, config={}, parents=parents)


def _sizes(n: int) -> Iterator[int]:
    yield from (min(SHARD, n - start) for start in range(0, n, SHARD))


def made_tracks(shard: int, size: int, n: int) -> pa.Table:
    """A shard of the catalog: `size` tracks sorted by ID, then copies of the first hundredth of them."""
    rng, n_copies = np.random.default_rng([shard, n]), size // 100
    total = size + n_copies
    ids = np.frombuffer(rng.bytes(8 * total).hex().encode(), "S16").astype(str)
    ids[:size].sort()
    artist, unknown = rng.integers(max(n // 50, 1), size=total), rng.random(total) < 0.02
    title = _joined(FIRST[rng.integers(len(FIRST), size=total)], SECOND[rng.integers(len(SECOND), size=total)])
    columns = {
        "track_id": ids,
        "uri": np.char.add(np.char.add("/music/", ids), ".mp3"),
        "title": _joined(title, rng.integers(1000, size=total).astype(str)),
        "artist": np.char.add("Artist ", artist.astype(str)),
        "album": _joined(np.char.add("Album ", artist.astype(str)), rng.integers(1, 6, size=total).astype(str)),
        "label": np.array(STYLES)[rng.choice(len(STYLES), size=total, p=SHARES)],
        "split": np.array(["train", "test"])[(rng.random(total) < 0.1).astype(int)],
        "year": rng.integers(1955, 2027, size=total),
        "duration_s": rng.normal(220, 60, size=total).clip(30).round(2),
        "content_hash": np.char.add(ids, ids),
        "shard": np.full(total, shard),
        "added_at": FIRST_DAY + DAY * rng.integers(0, 2000, size=total),
        "duplicate_of": np.append(ids[:size], ids[:n_copies]),
    }
    columns["content_hash"][size:] = columns["content_hash"][:n_copies]
    masks: dict[str, np.ndarray] = dict.fromkeys(("artist", "album", "label", "year", "duration_s"), unknown)
    masks["duplicate_of"] = np.arange(total) < size
    schema = DATASETS["tracks"].schema
    arrays = [
        pa.array(columns[field.name], field.type, mask=masks.get(field.name))
        if field.name in columns
        else pa.nulls(total, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.char.add(np.char.add(first, " "), second)


def _embeddings(tracks: pa.Table, shard: int, n: int) -> pa.Table:
    kept = tracks.filter(tracks["duplicate_of"].is_null())["track_id"].combine_chunks()
    size, schema = len(kept), DATASETS["embeddings"].schema
    vectors = clustered(size, seed=shard + 1, n_artists=max(n // 50, 1))
    arrays = [
        kept,
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=schema.field("embedding").type),
        pa.array(np.full(size, 24, np.int16)),
        pa.array(np.zeros(size, bool)),
        pa.array(np.full(size, 0.1, np.float32)),
        pa.array(np.full(size, 0.1, np.float32)),
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _health(tracks: pa.Table, shard: int) -> pa.Table:
    """Evidence of stereo mp3 files at 128 kb/s; one in a hundred has an offset."""
    kept = tracks.filter(tracks["duplicate_of"].is_null())["track_id"].combine_chunks()
    values: dict[str, np.ndarray] = evidence(len(kept), shard)
    values["dc_offset"] = np.where(np.arange(len(kept)) % 100 == 7, 0.1, values["dc_offset"])
    arrays: list[pa.Array] = []
    for field in DATASETS["health"].schema:
        if field.name in values:
            arrays.append(pa.array(np.round(values[field.name], 4)).cast(field.type, safe=False))
        else:
            arrays.append({"track_id": kept}.get(field.name, pa.array(["mpeg_layer_iii"] * len(kept), field.type)))
    return pa.Table.from_arrays(arrays, schema=DATASETS["health"].schema)


def _neighbors(track_ids: pa.StringArray) -> pa.Table:
    n = len(track_ids)
    second = np.arange(n) % 200 == 1
    first = np.arange(n) - second
    in_group = second | np.append(second[1:], False)
    arrays = [
        track_ids,
        pa.array(np.random.default_rng(5).normal(0.6, 0.05, n).astype(np.float32)),
        track_ids.take(pa.array(first, mask=~in_group)),
        pa.array(np.full(n, 0.9, np.float32), mask=~in_group),
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


if __name__ == "__main__":
    began, cpu = time.monotonic(), time.process_time()
    made = million(Path(sys.argv[1]), *map(int, sys.argv[2:3]), health="--health" in sys.argv)
    print(f"{made.root}: {time.monotonic() - began:.0f} s, {time.process_time() - cpu:.0f} s of CPU")
