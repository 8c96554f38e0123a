"""Cases of growth: the catalog stage on a manifest that carries hashes, so that no file is opened."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from audioae.catalog.sources import CatalogConfig
from audioae.pipeline.tracks import update_tracks
from audioae.store.dataset import Store
from tests.bench.made_catalog import SHARD, made_tracks

CLAIMS = ("title", "artist", "album", "label", "year", "content_hash", "duration_s")


def first(root: Path, n: int) -> Iterator[None]:
    """The first scan of n tracks, one in a hundred of them an exact duplicate."""
    config = _config(root, n)
    shutil.rmtree(f"{root}-catalog", ignore_errors=True)
    yield
    _scan(root, config, n)


def again(root: Path, n: int) -> Iterator[None]:
    """A scan of an unchanged manifest."""
    config = _config(root, n)
    before = Store(f"{root}-catalog").latest("tracks") or _scan(root, config, n)
    yield
    assert update_tracks(Store(f"{root}-catalog"), config) == before


def grown(root: Path, n: int) -> Iterator[None]:
    """A scan of the manifest of n tracks over a catalog that has 99 % of them."""
    config = _config(root, n)
    shutil.rmtree(f"{root}-catalog", ignore_errors=True)
    fewer = root.parent / f"{root.name}-fewer.parquet"
    table = pq.read_table(config.source)
    pq.write_table(table.slice(0, len(table) * 99 // 100), fewer)
    update_tracks(Store(f"{root}-catalog"), config.model_copy(update={"source": str(fewer)}))
    n_rows = len(table)
    del table
    yield
    ref = update_tracks(Store(f"{root}-catalog"), config)
    assert Store(f"{root}-catalog").manifest(ref).rows == n_rows


def _scan(root: Path, config: CatalogConfig, n: int):
    store = Store(f"{root}-catalog")
    ref = update_tracks(store, config)
    assert store.manifest(ref).rows >= n
    return ref


def _config(root: Path, n: int) -> CatalogConfig:
    manifest = root.parent / f"{root.name}-manifest.parquet"
    if not manifest.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        unfinished, writer = manifest.with_suffix(".unfinished"), None
        for shard, start in enumerate(range(0, n, SHARD)):
            tracks = made_tracks(shard, min(SHARD, n - start), n)
            table = tracks.select(["uri", *CLAIMS]).rename_columns(["path", *CLAIMS])
            writer = writer or pq.ParquetWriter(unfinished, table.schema)
            writer.write_table(table)
        if writer:
            writer.close()
        unfinished.replace(manifest)
    columns = {"path": "path", **{name: name for name in CLAIMS}}
    return CatalogConfig.model_validate({"source": str(manifest), "columns": columns})
