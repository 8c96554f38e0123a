"""The check of what is current: its parts and ancestors, their hashes, schemas and rows."""

from pathlib import Path

import pytest

from audioae.store.dataset import Store
from audioae.store.fsck import check_current, check_store, repair
from audioae.store.manifest import manifest_bytes
from tests.store.damage import damage
from tests.store.made import commit, rejects
from tests.stores import made_store


def test_a_damaged_ancestor_of_what_is_current_is_found(tmp_path: Path):
    """The current index was made from embeddings that are no longer current."""
    store = made_store(tmp_path)
    embeddings = store.require("embeddings")
    parents = [store.manifest(embeddings).parent(name) for name in ("tracks", "model", "rejects")]
    store.write_part("embeddings", "000000-other", store.read(embeddings).slice(1))
    store.commit("embeddings", ["000000-other"], recipe="other", config={}, parents=parents)
    calls = []
    assert check_current(Store(store.root), lambda *call: calls.append(call)) == []
    assert {what for what, _, _ in calls} >= {"checking tracks", "checking embeddings", "checking index"}
    assert all(done <= total for _, done, total in calls)
    damage(tmp_path / "embeddings" / "parts" / "000000-made.parquet", "byte")
    (fault,) = check_current(Store(store.root))
    assert (fault.where, fault.affects[0]) == (
        str(tmp_path / "embeddings" / "parts" / "000000-made.parquet"),
        str(embeddings),
    )
    assert str(store.require("index")) in fault.affects


@pytest.mark.parametrize("way", ["byte", "truncated", "emptied", "deleted"])
def test_what_is_damaged_is_set_aside_and_computed_again(store_root: str, tmp_path: Path, way: str):
    store = Store(store_root)
    ref = commit(store, a=("t1",), b=("t2",))
    content = store.storage.read("rejects/parts/b.parquet")
    path = tmp_path / "b.parquet"
    path.write_bytes(content)
    damage(path, way)
    if way == "deleted":
        store.storage.delete("rejects/parts/b.parquet")
    else:
        store.storage.write("rejects/parts/b.parquet", path.read_bytes())
    again = Store(store_root)
    faults = check_current(again)
    assert str(ref) in faults[0].affects
    repair(again, faults)
    assert again.part_fingerprints("rejects") == {"a"}
    assert commit(Store(store_root), a=("t1",), b=("t2",)) == ref
    assert check_current(Store(store_root)) == []


def test_rows_that_the_manifest_does_not_name_are_a_fault(tmp_path: Path):
    store = Store(str(tmp_path))
    manifest = store.manifest(commit(store, a=("t1",)))
    wrong = manifest.model_copy(update={"parts": [manifest.parts[0].model_copy(update={"rows": 7})]})
    store.storage.write(store.version_key(wrong.ref), manifest_bytes(wrong))
    for check in (check_current, check_store):
        (fault,) = check(Store(str(tmp_path)))
        assert fault.what == "1 rows, its manifest says 7"


def test_a_manifest_that_is_damaged_is_named(tmp_path: Path):
    store = Store(str(tmp_path))
    ref = commit(store, a=("t1",))
    path = tmp_path / "rejects" / "versions" / f"{ref.version}.json"
    path.write_text(path.read_text().replace('"recipe": "a"', '"recipe": "b"'))
    faults = check_current(Store(str(tmp_path)))
    assert faults[0].where == str(path)
    assert "its checksum is wrong" in faults[0].what


def test_old_schemas_are_sound():
    for version in ("v1", "v2", "v3"):
        store = Store(str(Path(__file__).parents[1] / "golden" / version))
        assert [fault for fault in check_current(store) if "parts" in fault.where] == []


def test_parts_of_no_version_are_left_to_fsck(tmp_path: Path):
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    store.write_part("rejects", "orphan", rejects("t9"))
    damage(tmp_path / "rejects" / "parts" / "orphan.parquet", "truncated")
    assert check_current(store) == []
    assert len(check_store(store)) == 1
