"""Artifacts from bytes and from files, their verification, and checkpoints."""

from pathlib import Path

import pytest

from audioae.errors import DamageError, SearchError, StoreError
from audioae.store.artifacts import CheckpointFile, artifact_path, commit_artifact, read_artifact, staging
from audioae.store.dataset import Store
from tests.store.damage import damage

CONTENT = bytes(range(256)) * 4096  # 1 MiB


def test_derived_files_do_not_change_the_version(store_root):
    store = Store(store_root)
    first = commit_artifact(
        store, "model", {"w": b"1"}, derived={"metrics": b"fast"}, recipe="r", config={}, parents=[]
    )
    again = commit_artifact(
        store, "model", {"w": b"1"}, derived={"metrics": b"slow"}, recipe="r", config={}, parents=[]
    )
    assert first == again
    assert read_artifact(store, first, "metrics") == b"fast", "the first publication is kept"
    other = commit_artifact(store, "model", {"w": b"2"}, derived={}, recipe="r", config={}, parents=[])
    assert other != first
    with pytest.raises(StoreError, match="has no file 'nope'; it has metrics, w"):
        read_artifact(store, first, "nope")


def test_a_checkpoint_is_replaced_and_cleared(store_root):
    checkpoints = CheckpointFile(Store(store_root), "recipe")
    assert checkpoints.load() is None
    checkpoints.save(b"1")
    checkpoints.save(b"2")
    assert checkpoints.load() == b"2"
    checkpoints.clear()
    checkpoints.clear()
    assert checkpoints.load() is None


@pytest.mark.parametrize("way", ["byte", "truncated", "emptied", "deleted"])
def test_a_damaged_checkpoint_is_as_good_as_none(tmp_path: Path, way: str):
    checkpoints = CheckpointFile(Store(str(tmp_path)), "recipe")
    checkpoints.save(CONTENT)
    assert checkpoints.load() == CONTENT
    damage(tmp_path / "model" / "checkpoints" / "recipe.ckpt", way)
    assert checkpoints.load() is None


def test_a_checkpoint_of_an_older_version_is_read(tmp_path: Path):
    store = Store(str(tmp_path))
    store.storage.write("model/checkpoints/recipe.ckpt", CONTENT)
    assert CheckpointFile(store, "recipe").load() == CONTENT


def test_a_file_gives_the_same_artifact_as_its_bytes(store_root):
    store = Store(store_root)
    options = {"recipe": "r", "config": {}, "parents": []}
    with staging(store, "index") as folder:
        (folder / "index.faiss").write_bytes(CONTENT)
        (folder / "notes").write_bytes(b"derived")
        files = {"index.faiss": folder / "index.faiss"}
        ref = commit_artifact(store, "index", files, derived={"notes": folder / "notes"}, **options)
        assert not (folder / "index.faiss").exists(), "the file was moved"
    assert not folder.exists()
    assert commit_artifact(store, "index", {"index.faiss": CONTENT}, derived={}, **options) == ref
    assert read_artifact(store, ref, "index.faiss") == CONTENT
    assert read_artifact(store, ref, "notes") == b"derived"
    assert artifact_path(store, ref, "index.faiss", verify=True).read_bytes() == CONTENT
    store.verify(ref)


def test_nothing_remains_of_an_artifact_that_was_not_committed(store_root):
    store = Store(store_root)
    folders: list[Path] = []

    def fail_the_gate() -> None:
        with staging(store, "index") as folder:
            folders.append(folder)
            (folder / "index.faiss").write_bytes(CONTENT)
            assert store.storage.list("index") == {}, "an unfinished file is not listed"
            raise SearchError("the index failed its gate")

    with pytest.raises(SearchError):
        fail_the_gate()
    assert not folders[0].exists()
    assert store.storage.list("index") == store.storage.list_unfinished("index") == {}


def test_damaged_artifacts_are_named(tmp_path: Path):
    store = Store(str(tmp_path))
    ref = commit_artifact(store, "model", {"w": CONTENT}, derived={}, recipe="r", config={}, parents=[])
    path = artifact_path(store, ref, "w")
    path.write_bytes(CONTENT[:-1])
    message = rf"/w: {len(CONTENT) - 1} bytes, the manifest of {ref} says {len(CONTENT)} bytes; run again"
    with pytest.raises(StoreError, match=message):
        artifact_path(store, ref, "w")
    path.write_bytes(CONTENT[::-1])
    answering = Store(str(tmp_path), verify=False)
    assert artifact_path(answering, ref, "w") == path, "a query checks the size alone, unless it reads the whole file"
    verified = (read_artifact, lambda _, *entry: artifact_path(answering, *entry, verify=True), artifact_path)
    for check in verified:
        with pytest.raises(DamageError, match=rf"/w: content differs from the manifest of {ref}; `audioae fsck"):
            check(store, ref, "w")
    with pytest.raises(StoreError, match=r"/w: content differs from the manifest"):
        store.verify(ref)
    path.unlink()
    with pytest.raises(StoreError, match=r"/w: no such file, the manifest of"):
        artifact_path(store, ref, "w")
