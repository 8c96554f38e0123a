"""What the store guarantees, in a local folder and on an S3 server alike."""

from pathlib import Path

import pyarrow as pa
import pytest

from audioae.errors import StoreError
from audioae.store.dataset import Store
from audioae.store.manifest import manifest_bytes
from tests.store.made import commit, rejects


def test_commit_publishes_parts_in_order(store_root):
    store = Store(store_root)
    ref = commit(store, b=("t2",), a=("t1", "t3"))
    assert store.latest("rejects") == ref
    assert store.read(ref)["track_id"].to_pylist() == ["t2", "t1", "t3"]
    assert store.read(ref, ["reason"]).column_names == ["reason"]
    assert store.manifest(ref).rows == 3
    store.verify(ref)


def test_the_same_parts_make_the_same_version_and_other_parts_another(store_root):
    store = Store(store_root)
    first = commit(store, a=("t1",))
    assert commit(store, a=("t1",)) == first
    assert commit(store, a=("t1",), b=("t2",)) != first
    assert len(store.versions("rejects")) == 2


def test_parts_that_are_not_in_the_manifest_are_not_read(store_root):
    store = Store(store_root)
    ref = commit(store, a=("t1",))
    store.write_part("rejects", "orphan", rejects("t9"))
    assert store.read(ref)["track_id"].to_pylist() == ["t1"]
    assert store.part_fingerprints("rejects") == {"a", "orphan"}


def test_an_existing_part_is_not_overwritten(store_root):
    store = Store(store_root)
    store.write_part("rejects", "a", rejects("t1"))
    store.write_part("rejects", "a", rejects("t2"))
    assert store.read_part("rejects", "a")["track_id"].to_pylist() == ["t1"]


def test_find_returns_the_version_of_a_recipe(store_root):
    store = Store(store_root)
    first, second = commit(store, a=("t1",)), commit(store, b=("t2",))
    assert store.find("rejects", "a") == first
    assert store.find("rejects", "b") == second
    assert store.find("rejects", "c") is None


def test_a_wrong_table_is_rejected_before_anything_is_written(store_root):
    store = Store(store_root)
    with pytest.raises(StoreError, match=r"missing \['detail'\]"):
        store.write_part("rejects", "a", rejects("t1").drop_columns(["detail"]))
    with pytest.raises(StoreError, match=r"rejects.reason is int64, wanted string"):
        store.write_part("rejects", "a", rejects("t1").set_column(2, "reason", pa.array([1])))
    with pytest.raises(StoreError, match=r"rejects.reason has 1 nulls"):
        store.write_part("rejects", "a", rejects("t1").set_column(2, "reason", pa.array([None], pa.string())))
    assert store.part_fingerprints("rejects") == set()


def test_the_message_of_an_empty_store_says_what_to_run(store_root):
    with pytest.raises(StoreError, match=r"no rejects yet; run the pipeline first"):
        Store(store_root).require("rejects")


def test_a_newer_format_is_rejected(store_root):
    store = Store(store_root)
    ref = commit(store, a=("t1",))
    for change, message in (
        ({"format": 99}, "store format 99, this audioae reads up to 2"),
        ({"schema_version": 99}, "rejects has schema version 99, this audioae reads up to"),
    ):
        newer = store.manifest(ref).model_copy(update=change)
        store.storage.write(f"rejects/versions/{newer.version}.json", manifest_bytes(newer))
        with pytest.raises(StoreError, match=rf"{message}.*; upgrade audioae"):
            store.read(newer.ref)


def test_damaged_and_missing_files_are_named(tmp_path: Path):
    store = Store(str(tmp_path))
    ref = commit(store, a=("t1",))
    part = tmp_path / "rejects" / "parts" / "a.parquet"
    content = part.read_bytes()
    part.write_bytes(content[:-20])
    with pytest.raises(StoreError, match=rf"a.parquet: {len(content) - 20} bytes, the manifest says {len(content)}"):
        store.read(ref)
    part.write_bytes(bytes(len(content)))
    with pytest.raises(StoreError, match="content differs from the manifest"):
        store.read(ref)
    with pytest.raises(StoreError, match="not readable as Parquet"):
        Store(str(tmp_path), verify=False).read(ref)
    with pytest.raises(StoreError, match="content differs from the manifest"):
        store.verify(ref)
    part.unlink()
    with pytest.raises(StoreError, match="no such object"):
        store.read(ref)
    (tmp_path / "rejects" / "versions" / f"{ref.version}.json").write_text("{")
    with pytest.raises(StoreError, match="the manifest is damaged"):
        store.manifest(ref)


def test_unusable_roots_are_named():
    with pytest.raises(StoreError, match="ftp://x"):
        Store("ftp://x/y")
    with pytest.raises(StoreError, match="rejects"):
        Store("/proc/nowhere").write_part("rejects", "a", rejects("t1"))
