"""The store's promises, on a local folder and on an S3 server alike."""

import json
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from audioae.errors import StoreError
from audioae.store.artifacts import CheckpointFile, commit_artifact, read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import REJECTS
from audioae.store.upkeep import prune, rollback


def rejects(*track_ids: str) -> pa.Table:
    return pa.Table.from_pylist(
        [{"track_id": t, "stage": "mels", "reason": "silent", "detail": "peak -90 dB"} for t in track_ids],
        schema=REJECTS,
    )


def commit(store: Store, **parts: tuple[str, ...]) -> DatasetRef:
    for name, track_ids in parts.items():
        store.write_part("rejects", name, rejects(*track_ids))
    return store.commit("rejects", list(parts), recipe="-".join(parts), config={})


def test_commit_publishes_parts_in_order(store_root):
    store = Store(store_root)
    ref = commit(store, b=("t2",), a=("t1", "t3"))
    assert store.latest("rejects") == ref
    assert store.read(ref)["track_id"].to_pylist() == ["t2", "t1", "t3"]
    assert store.read(ref, ["reason"]).column_names == ["reason"]
    assert store.manifest(ref).rows == 3
    store.verify(ref)


def test_same_parts_are_the_same_version_and_other_parts_another(store_root):
    store = Store(store_root)
    first = commit(store, a=("t1",))
    assert commit(store, a=("t1",)) == first
    assert commit(store, a=("t1",), b=("t2",)) != first
    assert len(store.versions("rejects")) == 2


def test_what_is_not_in_the_manifest_is_not_read(store_root):
    store = Store(store_root)
    ref = commit(store, a=("t1",))
    store.write_part("rejects", "orphan", rejects("t9"))
    assert store.read(ref)["track_id"].to_pylist() == ["t1"]
    assert store.part_fingerprints("rejects") == {"a", "orphan"}


def test_a_part_is_written_once(store_root):
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


def test_prune_keeps_what_is_reachable(store_root):
    store = Store(store_root)
    first = commit(store, a=("t1",), shared=("t0",))
    second = commit(store, b=("t2",), shared=("t0",))
    store.write_part("rejects", "orphan", rejects("t9"))
    assert prune(store, keep=1).objects == [], "everything is younger than a day"
    dry = prune(store, keep=1, grace=timedelta(seconds=-5), dry_run=True)
    assert dry.versions == [first]
    assert store.has_part("rejects", "a"), "a dry run removes nothing"
    assert prune(store, keep=1, grace=timedelta(seconds=-5)) == dry
    assert store.part_fingerprints("rejects") == {"b", "shared"}
    assert store.read(second).num_rows == 2


def test_prune_keeps_the_parents_of_what_it_keeps(store_root):
    store = Store(store_root)
    parent = commit(store, a=("t1",))
    files = {"model.safetensors": b"weights"}
    commit_artifact(store, "model", files, derived={}, recipe="r", config={}, parents=[parent])
    commit(store, b=("t2",))
    prune(store, keep=1, grace=timedelta(seconds=-5))
    assert store.read(parent).num_rows == 1


def test_artifact_round_trip_and_version_without_derived_files(store_root):
    store = Store(store_root)
    first = commit_artifact(
        store, "model", {"w": b"1"}, derived={"metrics": b"fast"}, recipe="r", config={}, parents=[]
    )
    again = commit_artifact(
        store, "model", {"w": b"1"}, derived={"metrics": b"slow"}, recipe="r", config={}, parents=[]
    )
    assert first == again
    assert read_artifact(store, first, "metrics") == b"fast", "the first publication stands"
    other = commit_artifact(store, "model", {"w": b"2"}, derived={}, recipe="r", config={}, parents=[])
    assert other != first
    with pytest.raises(StoreError, match="has no file 'nope'; it has metrics, w"):
        read_artifact(store, first, "nope")


def test_checkpoint_is_replaced_and_cleared(store_root):
    checkpoints = CheckpointFile(Store(store_root), "recipe")
    assert checkpoints.load() is None
    checkpoints.save(b"1")
    checkpoints.save(b"2")
    assert checkpoints.load() == b"2"
    checkpoints.clear()
    checkpoints.clear()
    assert checkpoints.load() is None


def test_a_wrong_table_is_refused_before_anything_is_written(store_root):
    store = Store(store_root)
    with pytest.raises(StoreError, match=r"missing \['detail'\]"):
        store.write_part("rejects", "a", rejects("t1").drop_columns(["detail"]))
    with pytest.raises(StoreError, match=r"rejects.reason is int64, wanted string"):
        store.write_part("rejects", "a", rejects("t1").set_column(2, "reason", pa.array([1])))
    with pytest.raises(StoreError, match=r"rejects.reason has 1 nulls"):
        store.write_part("rejects", "a", rejects("t1").set_column(2, "reason", pa.array([None], pa.string())))
    assert store.part_fingerprints("rejects") == set()


def test_nothing_published_says_what_to_run(store_root):
    with pytest.raises(StoreError, match=r"no rejects yet; run the pipeline first"):
        Store(store_root).require("rejects")


def test_a_newer_format_is_refused(store_root):
    store = Store(store_root)
    ref = commit(store, a=("t1",))
    key = f"rejects/versions/{ref.version}.json"
    manifest = json.loads(store.storage.read(key))
    for field, message in (("format", "store format 99"), ("schema_version", "schema version 99")):
        store.storage.write(key, json.dumps({**manifest, field: 99}).encode())
        with pytest.raises(StoreError, match=rf"{message}, this audioae reads up to 1; upgrade audioae"):
            store.read(ref)


def test_damage_is_named(tmp_path: Path):
    store = Store(str(tmp_path))
    ref = commit(store, a=("t1",))
    part = tmp_path / "rejects" / "parts" / "a.parquet"
    content = part.read_bytes()
    part.write_bytes(content[:-20])
    with pytest.raises(StoreError, match=rf"a.parquet: {len(content) - 20} bytes, the manifest says {len(content)}"):
        store.read(ref)
    part.write_bytes(bytes(len(content)))
    with pytest.raises(StoreError, match="not readable as Parquet"):
        store.read(ref)
    with pytest.raises(StoreError, match="content differs from the manifest"):
        store.verify(ref)
    part.unlink()
    with pytest.raises(StoreError, match="no such object"):
        store.read(ref)
    (tmp_path / "rejects" / "versions" / f"{ref.version}.json").write_text("{")
    with pytest.raises(StoreError, match="the manifest is damaged"):
        store.manifest(ref)


def test_bad_roots_are_named():
    with pytest.raises(StoreError, match="ftp://x"):
        Store("ftp://x/y")
    with pytest.raises(StoreError, match="rejects"):
        Store("/proc/nowhere").write_part("rejects", "a", rejects("t1"))
