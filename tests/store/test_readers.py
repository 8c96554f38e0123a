"""`Store.files` and `Store.dataset` give other tools exactly the parts of a version."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from audioae.errors import StoreError
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.schemas import HEALTH, REJECTS
from tests.store.made import commit, rejects

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"


def test_only_the_parts_of_the_version_are_read_in_their_order(store_root: str):
    store = Store(store_root)
    first = commit(store, b=("t2",), a=("t1", "t3"))
    store.write_part("rejects", "orphan", rejects("t9"))
    second = commit(store, b=("t2",), c=("t4",))
    for dataset, ids in ((first, ["t2", "t1", "t3"]), (second, ["t2", "t4"]), ("rejects", ["t2", "t4"])):
        table = store.dataset(dataset).to_table()
        assert table["track_id"].to_pylist() == ids
        assert table.schema.equals(REJECTS)
        assert len(store.files(dataset)) == 2
    lazily = store.dataset("rejects").scanner(columns=["reason"], filter=pc.field("track_id") == "t4")
    assert lazily.to_table().to_pylist() == [{"reason": "silent"}]


def test_files_are_addresses_that_other_tools_can_open(store_root: str):
    store = Store(store_root)
    commit(store, a=("t1",))
    (address,) = store.files("rejects")
    if store.storage.is_local:
        assert Path(address).is_absolute()
        assert pq.read_table(address)["track_id"].to_pylist() == ["t1"]
    else:
        assert address.startswith("s3://")
        assert "?" not in address
        filesystem, path = fs.FileSystem.from_uri(f"{address}?{store_root.partition('?')[2]}")
        assert pq.read_table(path, filesystem=filesystem)["track_id"].to_pylist() == ["t1"]


def test_the_files_of_an_artifact(store_root: str):
    store = Store(store_root)
    files, derived = {"index.faiss": b"1"}, {"gate.json": b"{}"}
    commit_artifact(store, "index", files, derived=derived, recipe="r", config={}, parents=[])
    assert [address.rsplit("/", 1)[1] for address in store.files("index")] == ["index.faiss", "gate.json"]


def test_a_version_without_parts_is_an_empty_dataset(store_root: str):
    store = Store(store_root)
    ref = store.commit("rejects", [], recipe="none", config={})
    assert store.files(ref) == []
    table = store.dataset(ref).to_table()
    assert (table.num_rows, table.schema) == (0, REJECTS)


def test_columns_that_a_part_is_too_old_for_are_null():
    dataset = Store(str(GOLDEN)).dataset("health")
    assert dataset.schema.equals(HEALTH)
    assert dataset.to_table(columns=["sample_rate", "fall_db"]).to_pylist() == [{"sample_rate": 44100, "fall_db": None}]


def test_unknown_datasets_are_named(tmp_path: Path):
    store = Store(str(tmp_path))
    for read in (store.files, store.dataset):
        with pytest.raises(StoreError, match="the store has no embeddings yet"):
            read("embeddings")


def test_mels_of_an_older_schema_can_be_scanned():
    mels = Store(str(GOLDEN)).dataset("mels")
    assert mels.to_table(columns=["mel"])["mel"][0].as_py()[:3] == [0, 1, 2]
    newer = Store(str(GOLDEN.with_name("v2"))).dataset("mels")
    assert newer.to_table(columns=["mel"])["mel"][0].as_py()[:3] == b"\0\1\2"
