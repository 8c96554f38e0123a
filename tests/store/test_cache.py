"""Files of a remote store are downloaded once, verified, and deleted when they were not used for long."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audioae.errors import StoreError
from audioae.store.artifacts import artifact_path, commit_artifact
from audioae.store.cache import KEPT_FOR, SIZES, cache_folder, cached_folder
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

CONTENT = bytes(range(256)) * 100


@pytest.fixture
def cache(tmp_path: Path, s3_server, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def publish(store: Store, content: bytes = CONTENT) -> DatasetRef:
    return commit_artifact(store, "index", {"index.faiss": content}, derived={}, recipe="r", config={}, parents=[])


def test_a_file_is_downloaded_once(s3_root: str, cache: Path):
    ref = publish(Store(s3_root))
    path = artifact_path(Store(s3_root), ref, "index.faiss")
    assert path.parent == cache
    assert path.read_bytes() == CONTENT
    inode = path.stat().st_ino
    assert artifact_path(Store(s3_root), ref, "index.faiss") == path
    assert path.stat().st_ino == inode
    assert [one.name for one in cache.iterdir()] == [path.name]


def test_a_wrong_object_is_rejected_and_not_cached(s3_root: str, cache: Path):
    store = Store(s3_root)
    ref = publish(store)
    store.storage.write(store.part_key("index", store.manifest(ref).parts[0].name), CONTENT[::-1])
    with pytest.raises(StoreError, match=r"s3://.*index.faiss: got content with sha256 .*, the manifest says"):
        artifact_path(store, ref, "index.faiss")
    assert list(cache.iterdir()) == []


def test_a_damaged_copy_is_downloaded_again(s3_root: str, cache: Path):
    store = Store(s3_root)
    ref = publish(store)
    artifact_path(store, ref, "index.faiss").write_bytes(b"short")
    assert artifact_path(store, ref, "index.faiss").read_bytes() == CONTENT
    artifact_path(store, ref, "index.faiss").write_bytes(CONTENT[::-1])
    with pytest.raises(StoreError, match=rf"{cache}/.*: content differs from the manifest of {ref}"):
        artifact_path(store, ref, "index.faiss")


def test_copies_that_nobody_uses_are_deleted(s3_root: str, cache: Path):
    store = Store(s3_root)
    refs = [publish(store, content) for content in (b"unused", b"used", b"new")]
    unused, used = (artifact_path(store, ref, "index.faiss") for ref in refs[:2])
    (cache / ".tmp-killed").mkdir()
    (cache / ".tmp-killed" / "index.faiss").write_bytes(b"torn")
    long_ago = time.time() - KEPT_FOR - 60
    for path in (unused, used, cache / ".tmp-killed"):
        os.utime(path, (long_ago, long_ago))
    artifact_path(store, refs[1], "index.faiss")
    new = artifact_path(store, refs[2], "index.faiss")
    assert {*cache.iterdir()} == {used, new}


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIOAE_CACHE", "/fast/disk")
    assert cache_folder() == Path("/fast/disk")
    monkeypatch.delenv("AUDIOAE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/anna/cache")
    assert cache_folder() == Path("/home/anna/cache/audioae/files")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "audioae" / "files"


def test_a_cache_that_cannot_be_written_is_named(s3_root: str, s3_server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIOAE_CACHE", "/proc/nowhere")
    store = Store(s3_root)
    ref = publish(store)
    with pytest.raises(StoreError, match="/proc/nowhere"):
        artifact_path(store, ref, "index.faiss")


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made(folder: Path) -> None:
    (folder / "a.npy").write_bytes(b"array")
    (folder / "b.arrow").write_bytes(b"")


def must_not(folder: Path) -> None:
    raise AssertionError("made twice")


def names(local: Path) -> list[str]:
    """What is in the cache, without the files that only serve as locks."""
    return sorted(path.name for path in local.iterdir() if path.suffix != ".lock")


def test_a_folder_is_made_once(local: Path):
    folder = cached_folder("catalog-1", made)
    assert folder == local / "catalog-1"
    assert (folder / "a.npy").read_bytes() == b"array"
    assert cached_folder("catalog-1", must_not) == folder
    assert names(local) == ["catalog-1"]


@pytest.mark.parametrize("damage", ["a.npy", "b.arrow", SIZES])
@pytest.mark.parametrize("content", [None, b"other size"])
def test_a_damaged_folder_is_made_again(local: Path, damage: str, content: bytes | None):
    path = cached_folder("catalog-1", made) / damage
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    folder = cached_folder("catalog-1", made)
    assert ((folder / "a.npy").read_bytes(), (folder / "b.arrow").read_bytes()) == (b"array", b"")
    assert names(local) == ["catalog-1"]


def test_a_folder_that_cannot_be_made_is_not_there(local: Path):
    def fail(folder: Path) -> None:
        made(folder)
        raise StoreError("the store is damaged")

    with pytest.raises(StoreError, match="damaged"):
        cached_folder("catalog-1", fail)
    assert names(local) == []


def test_several_that_want_a_folder_at_once_wait_for_one(local: Path):
    times = []

    def slowly(folder: Path) -> None:
        times.append(time.monotonic())
        time.sleep(0.2)
        made(folder)

    with ThreadPoolExecutor(4) as pool:
        folders = [asked.result() for asked in [pool.submit(cached_folder, "catalog-1", slowly) for _ in range(4)]]
    assert folders == [local / "catalog-1"] * 4
    assert len(times) == 1


def test_folders_that_nobody_uses_are_deleted(local: Path):
    unused, used = cached_folder("unused", made), cached_folder("used", made)
    for folder in (unused, used):
        long_ago = time.time() - KEPT_FOR - 60
        os.utime(folder, (long_ago, long_ago))
    cached_folder("used", must_not)
    cached_folder("new", made)
    assert names(local) == ["new", "used"]


def test_a_folder_that_takes_long_to_make_delays_no_other(local: Path):
    begun, done = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        begun.set()
        assert done.wait(30)

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(cached_folder, "slow", slow)
        assert begun.wait(30)
        other = pool.submit(cached_folder, "other", lambda folder: None)
        try:
            assert other.result(20).is_dir()
        finally:
            done.set()
        assert waiting.result().is_dir()
