"""A catalog that processes share, and what a run in one process makes of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audioae.config import load_config
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels
from audioae.pipeline.shards import shard_of
from audioae.pipeline.tracks import update_tracks
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests.flows.prefect_server import Server, running_server

N_SHARDS = 24
"""Of one track each."""


@pytest.fixture(scope="package")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prefect server, as a team has it."""
    with running_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="package")
def catalog(tiny_config, tmp_path_factory) -> tuple[Path, str, list[str]]:
    """A store with a catalog of 24 shards and nothing else; the config, and its overrides without the store."""
    path, overrides = tiny_config
    overrides = [*overrides, f"catalog.min_shards={N_SHARDS}", "run.workers=1"]
    root = tmp_path_factory.mktemp("catalog") / "store"
    update_tracks(Store(str(root)), load_config(PipelineConfig, path, overrides).catalog)
    return root, path, overrides


@pytest.fixture(scope="package")
def single(catalog, tmp_path_factory) -> Store:
    """The same catalog with the mels of a run in one process."""
    root, path, overrides = catalog
    store = Store(shutil.copytree(root, tmp_path_factory.mktemp("single") / "store").as_posix())
    config, tracks = load_config(PipelineConfig, path, overrides), store.require("tracks")
    compute_mels(store, config.mels, tracks, pending_mels(store, config.mels, tracks), config.run.decode_workers)
    commit_mels(store, config.mels, tracks, max_reject_rate=config.max_reject_rate)
    return store


def parts(store: Path, dataset: str) -> dict[int, int]:
    """The inode of the part of each shard; a part that is written again has a different one."""
    return {shard_of(path.name): path.stat().st_ino for path in store.glob(f"{dataset}/parts/*.parquet")}
