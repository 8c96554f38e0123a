"""A dataset that was renamed: `recommendations` was `coldstart`. Old versions are read, new ones have the new name."""

import json
import time
from datetime import timedelta

import pyarrow as pa
import pytest

from audioae.errors import StoreError
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.prune import prune
from audioae.store.schemas import RECOMMENDATIONS
from audioae.store.upkeep import rollback

OLD, NEW = "coldstart", "recommendations"


def table(listener: str) -> pa.Table:
    row = {"listener_id": listener, "rank": 1, "track_id": "t1", "score": 1.0, "fit": 0.5, "taste": 1, "because": []}
    return pa.Table.from_pylist([row], schema=RECOMMENDATIONS)


def publish(store: Store, name: str) -> DatasetRef:
    store.write_part(NEW, name, table(name))
    return store.commit(NEW, [name], recipe=name, config={})


@pytest.fixture
def old_store(store_root: str) -> tuple[Store, DatasetRef]:
    """A store as an older version of audioae wrote it, and the ref of its recommendations under the new name."""
    store = Store(store_root)
    manifest = store.manifest(publish(store, "old"))
    old = manifest.model_copy(update={"dataset": OLD, "format": 1, "published_at": None})
    store.storage.move(f"{NEW}/parts/old.parquet", f"{OLD}/parts/old.parquet")
    content = old.model_dump(mode="json", exclude={"published_at"})
    store.storage.write(f"{OLD}/versions/{old.version}.json", json.dumps(content).encode())
    store.storage.write(f"{OLD}/LATEST", old.version.encode())
    for key in store.storage.list(NEW):
        store.storage.delete(key)
    assert {key.split("/")[0] for key in store.storage.list("")} == {OLD}
    return Store(store_root), DatasetRef(NEW, old.version)


def test_an_old_store_is_read(old_store):
    store, ref = old_store
    assert store.require(NEW) == store.latest(NEW) == ref
    assert store.read(ref)["listener_id"].to_pylist() == ["old"]
    assert store.read_part(NEW, "old").num_rows == 1
    assert store.has_part(NEW, "old")
    assert store.part_fingerprints(NEW) == {"old"}
    assert store.find(NEW, "old") == ref
    assert [version for version, _ in store.versions(NEW)] == [ref]
    assert store.dataset(NEW).to_table().num_rows == 1
    assert store.files(NEW)[0].endswith(f"{OLD}/parts/old.parquet")
    store.verify(ref)


def test_new_versions_have_the_new_name_and_rollback_crosses_the_change(old_store):
    store, old = old_store
    new = publish(store, "new")
    assert store.storage.exists(f"{NEW}/parts/new.parquet")
    assert store.storage.exists(f"{NEW}/versions/{new.version}.json")
    assert store.latest(NEW) == new
    assert {version for version, _ in store.versions(NEW)} == {old, new}
    assert rollback(store, NEW, old.version) == old == store.latest(NEW)
    assert store.read(store.require(NEW))["listener_id"].to_pylist() == ["old"]
    assert rollback(store, NEW, new.version) == new == store.latest(NEW)


def test_an_old_part_is_used_again(old_store):
    store, _ = old_store
    store.write_part(NEW, "old", table("other"))
    store.write_part(NEW, "more", table("more"))
    ref = store.commit(NEW, ["old", "more"], recipe="both", config={})
    assert store.read(ref)["listener_id"].to_pylist() == ["old", "more"]
    assert not store.storage.exists(f"{NEW}/parts/old.parquet")
    store.verify(ref)


def test_prune_deletes_old_versions_under_the_old_name(old_store):
    store, old = old_store
    time.sleep(0 if store.storage.is_local else 1.1)  # S3 knows times to the second, and the old version must be older
    new = publish(store, "new")
    assert prune(store, keep=2, grace=timedelta(seconds=-5)).objects == [f"{NEW}/superseded/{old.version}"]
    pruned = prune(store, keep=1, grace=timedelta(seconds=-5))
    assert pruned.versions == [old]
    assert f"{OLD}/parts/old.parquet" in pruned.objects
    assert store.read(new).num_rows == 1
    with pytest.raises(StoreError, match="no version recommendations@"):
        store.manifest(old)
