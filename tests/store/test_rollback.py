"""A rollback holds until its release, or until other inputs give a newer version; no file's time says what is newer."""

import json
import os
import shutil
from pathlib import Path

import pytest

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.store.dataset import Store
from audioae.store.fsck import check_store, repair
from audioae.store.manifest import Manifest
from audioae.store.prune import prune
from audioae.store.upkeep import list_versions, release, rollback
from tests.store.made import commit
from tests.store.test_upkeep import EVERYTHING
from tests.stores import made_store


def notes(store: Store) -> dict[str, str]:
    return {row["ref"]: row["note"] for row in list_versions(store, "rejects")}


def test_the_same_run_does_not_undo_a_rollback(store_root: str, caplog: pytest.LogCaptureFixture):
    store = Store(store_root)
    first, second = commit(store, a=("t1",)), commit(store, b=("t2",))
    assert rollback(store, "rejects") == first
    assert commit(store, b=("t2",)) == second, "the stage returns what it made"
    assert store.make_current(second) == first, "a stage that finds its version goes on with the pinned one"
    assert store.latest("rejects") == first
    assert f"{first} is pinned and stays current: {second}, from the same inputs" in caplog.text
    assert notes(store) == {str(first): "pinned", str(second): ""}
    assert commit(store, a=("t1",)) == first
    assert notes(store)[str(first)] == "pinned", "the pinned version itself does not end its pin"


def test_other_inputs_end_a_rollback(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store = Store(str(tmp_path))
    first = commit(store, a=("t1",))
    commit(store, b=("t2",))
    rollback(store, "rejects")
    third = commit(store, b=("t2",), c=("t3",))
    assert store.latest("rejects") == third
    assert f"{first} is no longer pinned: {third} was made from other inputs" in caplog.text
    assert set(notes(store).values()) == {""}


def test_a_rebuilt_version_does_not_end_a_rollback(tmp_path: Path):
    """The recipe is that of what was rolled back, although the bytes and so the version differ."""
    store = Store(str(tmp_path))
    first = commit(store, a=("t1",))
    commit(store, b=("t2",))
    rollback(store, "rejects")
    Path(store.storage.path("rejects/parts/b.parquet")).unlink()
    commit(Store(str(tmp_path)), b=("t9",))
    assert store.latest("rejects") == first


def test_a_nightly_run_leaves_the_index_that_a_rollback_chose(tmp_path: Path):
    store = made_store(tmp_path)
    first, embeddings = store.require("index"), store.require("embeddings")
    second = build_index(store, IndexConfig(seed=1), embeddings)
    assert rollback(store, "index") == first
    for _ in range(2):
        assert build_index(Store(str(tmp_path)), IndexConfig(seed=1), embeddings) == first
    assert store.latest("index") == first
    third = build_index(store, IndexConfig(seed=2), embeddings)
    assert (store.latest("index"), len({first, second, third})) == (third, 3)


def test_release_lets_the_next_run_go_on(tmp_path: Path):
    store = Store(str(tmp_path))
    first, second = commit(store, a=("t1",)), commit(store, b=("t2",))
    with pytest.raises(StoreError, match=f"{second} is not pinned, so there is nothing to release"):
        release(store, "rejects")
    rollback(store, "rejects")
    assert release(store, "rejects") == first == store.latest("rejects")
    assert store.make_current(second) == second == store.latest("rejects")


def test_the_newest_version_needs_no_pin(tmp_path: Path):
    store = Store(str(tmp_path))
    first, second = commit(store, a=("t1",)), commit(store, b=("t2",))
    rollback(store, "rejects", first.version)
    assert rollback(store, "rejects", second.version) == second
    assert set(notes(store).values()) == {""}


def test_a_rollback_goes_only_to_what_is_whole(tmp_path: Path):
    store = Store(str(tmp_path))
    first, second, _ = commit(store, a=("t1",)), commit(store, b=("t2",)), commit(store, c=("t3",))
    Path(store.storage.path("rejects/parts/b.parquet")).unlink()
    with pytest.raises(StoreError, match=f"{second} is not whole, so it cannot be current"):
        rollback(store, "rejects", second.version)
    assert rollback(store, "rejects") == first, "the damaged version is skipped"
    assert notes(store)[str(second)].startswith("not whole")
    with pytest.raises(StoreError, match=r"no dataset '../x'; wanted one of: tracks, "):
        rollback(store, "../x")


def test_a_pin_of_this_version_can_be_read_by_later_ones(tmp_path: Path):
    store = Store(str(tmp_path))
    first, second = commit(store, a=("t1",)), commit(store, b=("t2",))
    pin = {"pinned_at": "2026-03-01T08:00:00+00:00", "recipes": ["a", "b"]}
    checksum = fingerprint([first.version, pin])
    line = f'{{"checksum": "{checksum}", "pinned_at": "2026-03-01T08:00:00+00:00", "recipes": ["a", "b"]}}'
    store.storage.write("rejects/LATEST", f"{first.version}\n{line}\n".encode())
    assert store.make_current(second) == first
    pointer = store.pointer("rejects")
    assert pointer
    assert pointer.to_bytes() == store.storage.read("rejects/LATEST")
    assert (pointer.pin and pointer.pin.recipes) == {"a", "b"}


def test_a_damaged_pin_holds_and_is_mended(tmp_path: Path):
    store = Store(str(tmp_path))
    first, second = commit(store, a=("t1",)), commit(store, b=("t2",))
    rollback(store, "rejects")
    path = tmp_path / "rejects" / "LATEST"
    path.write_bytes(path.read_bytes().replace(b'"recipes"', b'"recipez"'))
    assert store.make_current(second) == first
    (fault,) = check_store(store)
    assert fault.what == "its pin is damaged"
    assert repair(store, [fault]) == [f"{path}: {first} is pinned again"]
    assert check_store(store) == []
    assert store.make_current(second) == first
    assert commit(store, c=("t3",)) == store.latest("rejects")


def test_a_pin_ends_with_its_version(tmp_path: Path):
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    second = commit(store, b=("t2",))
    rollback(store, "rejects")
    Path(store.storage.path("rejects/parts/a.parquet")).unlink()
    assert store.latest("rejects") == second
    assert store.make_current(second) == second
    assert check_store(Store(str(tmp_path)))[0].where.endswith("a.parquet")


def test_the_order_does_not_hang_on_the_times_of_files(tmp_path: Path):
    store = Store(str(tmp_path / "store"))
    refs = [commit(store, **{name: (name,)}) for name in "abcd"]
    copied = Path(shutil.copytree(tmp_path / "store", tmp_path / "copy"))
    manifests = [copied / "rejects" / "versions" / f"{ref.version}.json" for ref in refs]
    for age, path in enumerate(manifests):  # the oldest version is the youngest file
        os.utime(path, (10**9 - age, 10**9 - age))
    for part in (copied / "rejects" / "parts").iterdir():
        os.utime(part, (10**9, 10**9))
    copy = Store(str(copied))
    assert [ref for ref, _ in copy.versions("rejects")] == refs[::-1]
    assert rollback(copy, "rejects") == refs[2]
    assert set(prune(copy, keep=2, grace=EVERYTHING).versions) == set(refs[:2])
    assert copy.read(refs[3])["track_id"].to_pylist() == ["d"]


def test_manifests_without_a_time_are_older_than_those_with_one(tmp_path: Path):
    store = Store(str(tmp_path))
    new = commit(store, a=("t1",))
    manifest = store.manifest(new).model_dump(mode="json", exclude={"published_at"})
    old = [Manifest.model_validate({**manifest, "format": 1, "recipe": recipe}) for recipe in ("x", "y")]
    for time, one in zip((2 * 10**9, 10**9), old, strict=True):
        path = tmp_path / "rejects" / "versions" / f"{one.version}.json"
        path.write_text(json.dumps(one.model_dump(mode="json", exclude={"published_at"})))
        os.utime(path, (time, time))
    assert [ref for ref, _ in store.versions("rejects")] == [new, old[0].ref, old[1].ref]
    assert check_store(store) == []


def test_a_clock_that_was_set_back_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(str(tmp_path))
    first = commit(store, a=("t1",))
    published = store.manifest(first).published_at
    assert published

    class Clock:
        @staticmethod
        def now(zone: object) -> object:
            return published.replace(year=2001)

    monkeypatch.setattr("audioae.store.versions.datetime", Clock)
    second = commit(store, b=("t2",))
    assert [ref for ref, _ in store.versions("rejects")] == [second, first]
