"""The explorer in chromium without a GPU: the store of AUDIOAE_STORE (default: data), and 1,000,000 tracks.

The first has audio and a map (`audioae run map CONFIG`). The second is AUDIOAE_STORE_MILLION, a store with a map, or
else is made: embeddings without audio, and a map of 60 clouds.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.store.dataset import Store
from audioae.store.schemas import DATASETS
from tests.bench.explore_page import Waits, browser, measure_page
from tests.bench.harness import Row
from tests.bench.made_catalog import million
from tests.bench.server_process import serving

N = 1_000_000
CLOUDS = 60


def measure(n: int = N) -> Iterator[Row]:
    with browser() as chromium, tempfile.TemporaryDirectory() as folder:
        with serving(os.environ.get("AUDIOAE_STORE", "data"), Path(folder)) as server:
            small = measure_page(chromium, server.url, server.headers["X-API-Key"], sound=True)
        yield from _rows("a demo catalog", small, picture_ms=1500)
        with _million(n) as root, serving(root, Path(folder)) as server:
            before = server.memory()
            large = measure_page(chromium, server.url, server.headers["X-API-Key"], sound=False)
            after = server.memory()
        of = f"{n:,} tracks"
        yield from _rows(of, large, picture_ms=10_000)
        yield Row(f"{of}: heap of the page", large.heap_mb, 300, "MB", "", higher_is_better=False)
        grown = after.beside - before.beside
        yield Row(f"{of}: memory of the server for the page", grown, 200, "MiB", "", higher_is_better=False)


def _rows(of: str, waits: Waits, *, picture_ms: float) -> Iterator[Row]:
    yield Row(f"{of}: first picture", waits.picture_ms, picture_ms, "ms", "", higher_is_better=False)
    yield Row(f"{of}: pointer to name", waits.hover_ms, 50, "ms", "median", higher_is_better=False)
    yield Row(f"{of}: pan", waits.frames_per_s, 10, "/s", "frames")
    if waits.sounds:
        cold, rested = waits.sounds
        yield Row(f"{of}: click to sound", rested, 300, "ms", "the pointer rested there", higher_is_better=False)
        yield Row(f"{of}: click to sound, cold", cold, None, "ms", "", higher_is_better=False)


@contextmanager
def _million(n: int) -> Iterator[str]:
    known = os.environ.get("AUDIOAE_STORE_MILLION")
    if known:
        yield known
        return
    with tempfile.TemporaryDirectory() as folder:
        store = million(Path(folder), n, health=True)
        _add_map(store)
        yield store.root


def _add_map(store: Store) -> None:
    """A map of the current index: clouds of many sizes, each a region."""
    index = store.require("index")
    embeddings = store.manifest(index).parent("embeddings")
    ids = store.read(embeddings, ["track_id"])["track_id"].combine_chunks()
    rng = np.random.default_rng(0)
    centers, spread = rng.normal(size=(CLOUDS, 2)) * 10, rng.uniform(0.3, 2, CLOUDS)
    cloud = rng.choice(CLOUDS, len(ids), p=rng.dirichlet(np.ones(CLOUDS)))
    points = centers[cloud] + rng.normal(size=(len(ids), 2)) * spread[cloud, None]
    regions = {
        "region": np.arange(CLOUDS),
        "name": [f"cloud {number}" for number in range(CLOUDS)],
        "n": np.bincount(cloud, minlength=CLOUDS),
        "x": centers[:, 0],
        "y": centers[:, 1],
        "traits": [[]] * CLOUDS,
    }
    named = _commit(store, "regions", regions, [embeddings])
    places = {"track_id": ids, "x": points[:, 0], "y": points[:, 1], "region": cloud, "fitted": np.ones(len(ids), bool)}
    _commit(store, "map", places, [index, embeddings, named])


def _commit(store: Store, dataset: str, columns: dict, parents: list):
    schema = DATASETS[dataset].schema
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in schema]
    store.write_part(dataset, "made", pa.Table.from_arrays(arrays, schema=schema))
    return store.commit(dataset, ["made"], recipe="made", config={}, parents=parents)
