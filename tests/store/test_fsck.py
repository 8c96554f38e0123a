"""Every kind of object is damaged in every way: found, named, mended, and never read as if it were sound."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.index import build_index, load_index
from audioae.search.factory import IndexConfig
from audioae.store.dataset import Store
from audioae.store.fsck import check_store, repair
from audioae.store.manifest import DatasetRef
from tests.store.damage import DAMAGES, damage
from tests.store.made import commit, rejects
from tests.stores import made_store

DATASETS = ("tracks", "health", "rejects", "embeddings", "model", "index")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "store"
    made_store(root)
    return root


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Store:
    """A store of its own for each test."""
    return Store(str(shutil.copytree(whole, tmp_path / "store")))


def object_of(store: Store, dataset: str, kind: str) -> Path:
    """The part, the manifest or the LATEST of the current version of a dataset."""
    ref = store.require(dataset)
    if kind == "part":
        return Path(store.storage.path(store.part_key(dataset, store.manifest(ref).parts[0].name)))
    return Path(store.storage.path(store.version_key(ref) if kind == "manifest" else store.latest_key(dataset)))


def test_a_sound_store_has_no_faults(store: Store):
    calls: list[tuple[str, int, int]] = []
    assert check_store(store, lambda *call: calls.append(call)) == []
    assert ("checking index", calls[-1][2], calls[-1][2]) == calls[-1]
    assert {what for what, _, _ in calls} == {f"checking {dataset}" for dataset in DATASETS}


@pytest.mark.parametrize("kind", ["part", "manifest", "LATEST"])
@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("way", DAMAGES)
def test_damage_is_found_and_mended(store: Store, dataset: str, kind: str, way: str):
    ref, path = store.require(dataset), object_of(store, dataset, kind)
    if kind == "part" and path.stat().st_size == 0:
        path = Path(store.storage.path(store.version_key(ref)))  # the model of these stores has an empty file
    damage(path, way)
    fresh = Store(store.root)
    faults = check_store(fresh)
    named = Path(store.storage.path(f"{dataset}/LATEST")) if (path.suffix, way) == (".json", "deleted") else path
    assert next(fault.where for fault in faults) == str(named), "nothing but LATEST knows of a manifest that is gone"
    assert any(str(ref) in fault.affects or dataset in fault.affects for fault in faults)
    assert all(fault.what and fault.remedy for fault in faults)
    done = repair(fresh, faults)
    left = check_store(Store(store.root))
    assert all(fault.what.endswith("which is gone") for fault in left), "what remains waits for the next run"
    children = {"tracks": 4, "health": 1, "rejects": 1, "embeddings": 1, "model": 2, "index": 0}[dataset]
    assert len(left) == (0 if kind == "LATEST" else children)
    if named != path:
        assert done == [f"{named}: removed, because no version of {dataset} is whole"]
    elif kind == "LATEST":
        assert fresh.latest(dataset) == ref
        assert any(str(path) in line for line in done)
    elif way != "deleted":
        assert fresh.storage.list(f"{dataset}/quarantine"), "what was damaged is kept"


def test_damage_on_s3_is_found_and_mended(s3_root: str):
    store = Store(s3_root)
    first, second = commit(store, a=("t1",)), commit(store, b=("t2",))
    store.storage.write("rejects/parts/b.parquet", b"short")
    store.storage.write("rejects/parts/orphan.parquet", b"no Parquet, but long enough")
    faults = check_store(store)
    assert [(fault.where.rsplit("/", 1)[1], fault.affects) for fault in faults] == [
        ("b.parquet", (str(second),)),
        ("orphan.parquet", ()),
        ("LATEST", ("rejects",)),
    ]
    repair(store, faults)
    assert set(store.storage.list("rejects/quarantine")) == {
        "rejects/quarantine/parts/b.parquet",
        "rejects/quarantine/parts/orphan.parquet",
    }
    again = Store(s3_root)
    assert (again.latest("rejects"), check_store(again)) == (first, [])


@pytest.mark.parametrize("way", DAMAGES)
@pytest.mark.parametrize("file", ["index.faiss", "ids.parquet", "gate.json", "neighborhood.parquet"])
def test_a_damaged_index_is_built_again(store: Store, way: str, file: str):
    ref, embeddings = store.require("index"), store.require("embeddings")
    part = next(part for part in store.manifest(ref).parts if part.name.endswith(f"/{file}"))
    damage(Path(store.storage.path(store.part_key("index", part.name))), way)
    if way == "byte":  # the right size: only hashing finds it
        repair(store, check_store(store))
    again = Store(store.root)
    assert build_index(again, IndexConfig(), embeddings) == ref, "the same content has the same name"
    assert again.latest("index") == ref
    assert len(load_index(again, ref)) == 12
    assert check_store(Store(store.root)) == []


def test_a_flipped_sign_in_an_embedding_is_not_published(store: Store):
    before, embeddings = store.require("index"), store.require("embeddings")
    path = object_of(store, "embeddings", "part")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x80
    path.write_bytes(content)
    with pytest.raises(StoreError, match=rf"{path}: content differs from the manifest of .*; `audioae fsck --repair`"):
        build_index(Store(store.root), IndexConfig(seed=1), embeddings)
    assert Store(store.root).latest("index") == before
    (fault,) = check_store(store)
    assert fault.affects == (str(embeddings), str(before))
    assert fault.what.startswith("content with sha256 ")


def test_a_part_that_was_never_published_is_checked_page_by_page(store: Store):
    store.write_part("rejects", "000007-new", rejects("t1"))
    path = Path(store.storage.path("rejects/parts/000007-new.parquet"))
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="not readable as Parquet"):
        Store(store.root).read_part("rejects", "000007-new")
    (fault,) = check_store(store)
    assert (fault.where, fault.affects) == (str(path), ())
    repair(store, [fault])
    assert check_store(store) == []
    assert not store.has_part("rejects", "000007-new")


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "a/../../b", "..", "", ".tmp-1/a", "a\x00b"])
def test_a_name_outside_of_the_store_is_damage(tmp_path: Path, name: str):
    store = Store(str(tmp_path / "store"))
    ref, newest = commit(store, a=("t1",)), commit(store, b=("t2",))
    (tmp_path / "outside").write_bytes(b"secret")
    rewrite(store, newest, lambda content: content["parts"][0].update(name=name))
    with pytest.raises(StoreError, match=rf"versions/{newest.version}.json: the manifest is damaged"):
        store.read(newest)
    assert Store(store.root).latest("rejects") == ref
    assert check_store(store)[0].where.endswith(f"versions/{newest.version}.json")


@pytest.mark.parametrize("name", ["../../outside", "/etc/passwd", "../rejects/parts/a"])
def test_a_pointer_outside_of_the_store_is_damage(tmp_path: Path, name: str):
    store = Store(str(tmp_path / "store"))
    ref = commit(store, a=("t1",))
    store.storage.write("rejects/LATEST", name.encode())
    assert store.latest("rejects") == ref
    rewrite(store, ref, lambda content: content.update(parents={"tracks": name}))
    assert Store(store.root).latest("rejects") is None
    for use in (lambda: store.manifest(DatasetRef("rejects", name)), lambda: store.manifest(DatasetRef(name, "a"))):
        with pytest.raises(StoreError, match=r"leads out of the store|no version rejects@/etc/passwd"):
            use()


def rewrite(store: Store, ref: DatasetRef, change: Callable[[dict], object]) -> None:
    """Change a manifest as a stranger would who knows the format: with the right checksum."""
    content = json.loads(store.storage.read(store.version_key(ref)))
    del content["checksum"]
    change(content)
    content["checksum"] = fingerprint(content)
    store.storage.write(store.version_key(ref), json.dumps(content).encode())


@pytest.mark.parametrize("field", ["bytes", "rows", "sha256", "recipe", "published_at"])
def test_a_changed_digit_in_a_manifest_is_not_copied(tmp_path: Path, field: str):
    store = Store(str(tmp_path))
    first = commit(store, a=("t1",))
    path = Path(store.storage.path(store.version_key(first)))
    text = path.read_text()
    at = text.index(f'"{field}": ') + len(field) + 4
    at += next(i for i, letter in enumerate(text[at:]) if letter.isdigit())
    path.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])
    second = commit(Store(str(tmp_path)), a=("t1",), b=("t2",))
    assert [(part.rows, part.bytes > 500) for part in store.manifest(second).parts] == [(1, True), (1, True)]
    store.verify(second)


def test_a_part_that_comes_out_differently_replaces_the_lost_one(tmp_path: Path):
    store = Store(str(tmp_path))
    first = commit(store, a=("t1",), b=("t2",))
    Path(store.storage.path("rejects/parts/a.parquet")).unlink()
    again = Store(str(tmp_path))
    assert not again.has_part("rejects", "a")
    assert again.part_fingerprints("rejects") == {"b"}
    second = commit(again, a=("t9",), b=("t2",))
    assert again.read(second)["track_id"].to_pylist() == ["t9", "t2"]
    assert second != first
    assert [ref for ref, _ in again.versions("rejects")] == [second], "the first can never be whole again"
    assert again.manifest(first).recipe == "a-b", "but what was made from it can still be explained"
    assert check_store(again) == []


def test_a_part_of_the_wrong_size_is_computed_again(tmp_path: Path):
    store = Store(str(tmp_path))
    ref = commit(store, a=("t1",))
    path = Path(store.storage.path("rejects/parts/a.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    again = Store(str(tmp_path))
    assert (again.has_part("rejects", "a"), again.latest("rejects"), again.find("rejects", "a")) == (False, None, None)
    with pytest.raises(StoreError, match="no version of rejects is whole; `audioae fsck` says what is wrong"):
        again.require("rejects")
    assert commit(again, a=("t1",)) == ref
    assert again.read(ref)["track_id"].to_pylist() == ["t1"]
    assert check_store(again) == []


def test_old_damage_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store = Store(str(tmp_path))
    old, new = commit(store, a=("t1",)), commit(store, b=("t2",))
    Path(store.storage.path(store.version_key(old))).write_bytes(b"{")
    assert [ref for ref, _ in store.versions("rejects")] == [new]
    assert f"skipped {old}: " in caplog.text
    assert store.find("rejects", "b") == new
    assert store.find("rejects", "c") is None
    assert commit(store, c=("t3",)) == store.latest("rejects")


@pytest.mark.parametrize("content", [b"", b"\n", b"garbage here\n", b"\xff\xfe", b"012345678901\n", None])
def test_a_bad_latest_names_the_newest_whole_version_instead(tmp_path: Path, content: bytes | None):
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    newest = commit(store, b=("t2",))
    damage(Path(store.storage.path("rejects/LATEST")), "deleted") if content is None else store.storage.write(
        "rejects/LATEST", content
    )
    assert store.latest("rejects") == store.require("rejects") == newest
    third = commit(store, c=("t3",))
    assert store.latest("rejects") == third
    assert check_store(store) == []
