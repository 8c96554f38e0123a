"""A finished chain over a small catalog, shared by the tests of the stages; they must not change it."""

from pathlib import Path

import pytest

from audioae.config import load_config
from audioae.stages.settings import PipelineConfig
from audioae.store.dataset import Store
from tests.chain import run_chain


@pytest.fixture(scope="session")
def chain(tiny_config, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, PipelineConfig]:
    path, overrides = tiny_config
    root: Path = tmp_path_factory.mktemp("chain") / "store"
    config = load_config(PipelineConfig, path, [*overrides, f"store={root}"])
    run_chain(config)
    return Store(config.store), config
