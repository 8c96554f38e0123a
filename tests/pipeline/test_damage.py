"""Whatever the next run finds gone or damaged, it computes again; and what is current then is whole."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audioae.pipeline.index import load_index
from audioae.store.dataset import Store
from audioae.store.fsck import check_store, repair
from audioae.store.upkeep import PUBLISHED
from tests.chain import run_chain
from tests.store.damage import damage


@pytest.fixture
def run_again(chain, tmp_path: Path) -> Callable[[Callable[[Store], None]], None]:
    """A function that harms a copy of a finished store, runs the chain, and checks the result."""
    finished, config = chain
    root = shutil.copytree(finished.root, tmp_path / "store")

    def run(harm: Callable[[Store], None]) -> None:
        store = Store(str(root))
        embedded = store.read(store.require("embeddings"), ["track_id"])
        harm(store)
        index = run_chain(config.model_copy(update={"store": str(root)}))
        again = Store(str(root))
        assert len(load_index(again, index)) == embedded.num_rows
        assert again.read(again.require("embeddings"), ["track_id"]) == embedded
        assert check_store(again) == []

    return run


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_parts_that_are_gone_are_computed_again(run_again, dataset: str):
    def harm(store: Store) -> None:
        shutil.rmtree(store.storage.path(f"{dataset}/parts"))

    run_again(harm)


def test_one_damaged_part_of_every_dataset_is_computed_again_after_a_repair(run_again):
    def harm(store: Store) -> None:
        for dataset in PUBLISHED:
            part = store.manifest(store.require(dataset)).parts[-1]
            damage(Path(store.storage.path(store.part_key(dataset, part.name))), "byte")
        repair(store, check_store(store))

    run_again(harm)


def test_damaged_manifests_and_pointers_are_written_again_after_a_repair(run_again):
    def harm(store: Store) -> None:
        for dataset in PUBLISHED:
            if dataset != "model":  # training again takes long
                damage(Path(store.storage.path(store.version_key(store.require(dataset)))), "byte")
            damage(Path(store.storage.path(f"{dataset}/LATEST")), "emptied")
        repair(store, check_store(store))

    run_again(harm)
