"""Rollback and prune: which version is current, what is deleted, and what is kept."""

from datetime import timedelta

import pytest

from audioae.errors import StoreError
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.prune import prune
from audioae.store.upkeep import rollback
from tests.store.made import commit, rejects

EVERYTHING = timedelta(seconds=-5)  # no object is too young to be deleted


def test_rollback_moves_latest_and_back(store_root):
    store = Store(store_root)
    first = commit(store, a=("t1",))
    with pytest.raises(StoreError, match="oldest version"):
        rollback(store, "rejects")
    second = commit(store, b=("t2",))
    assert rollback(store, "rejects", first.version) == first == store.latest("rejects")
    assert rollback(store, "rejects", second.version) == second
    with pytest.raises(StoreError, match="no version rejects@nonsense"):
        rollback(store, "rejects", "nonsense")


def test_prune_keeps_the_parts_of_kept_versions(store_root):
    store = Store(store_root)
    first = commit(store, a=("t1",), shared=("t0",))
    second = commit(store, b=("t2",), shared=("t0",))
    store.write_part("rejects", "orphan", rejects("t9"))
    assert prune(store, keep=1).objects == [], "everything is younger than a day"
    dry = prune(store, keep=1, grace=EVERYTHING, dry_run=True)
    assert dry.versions == [first]
    assert store.has_part("rejects", "a"), "a dry run removes nothing"
    assert prune(store, keep=1, grace=EVERYTHING) == dry
    assert store.part_fingerprints("rejects") == {"b", "shared"}
    assert store.read(second).num_rows == 2


def test_prune_keeps_the_parents_of_what_it_keeps(store_root):
    store = Store(store_root)
    parent = commit(store, a=("t1",))
    files = {"model.safetensors": b"weights"}
    commit_artifact(store, "model", files, derived={}, recipe="r", config={}, parents=[parent])
    commit(store, b=("t2",))
    prune(store, keep=1, grace=EVERYTHING)
    assert store.read(parent).num_rows == 1
