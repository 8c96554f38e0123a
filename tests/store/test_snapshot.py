"""A snapshot lists and parses once; what others write meanwhile is found where it matters."""

import threading
from pathlib import Path

import pytest

from audioae.store.dataset import Store
from audioae.store.storage import Storage
from tests.store.made import commit, rejects


def test_a_folder_is_listed_once_and_own_parts_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store, lists = Store(str(tmp_path)), []
    commit(store, a=("t1",))
    original = Storage.list
    monkeypatch.setattr(Storage, "list", lambda self, prefix: lists.append(prefix) or original(self, prefix))
    with store.snapshot():
        assert [store.has_part("rejects", name) for name in ("a", "b")] == [True, False]
        store.write_part("rejects", "b", rejects("t2"))
        with store.snapshot():
            assert store.has_part("rejects", "b")
        Store(str(tmp_path)).write_part("rejects", "c", rejects("t3"))
        assert not store.has_part("rejects", "c")
        assert lists.count("rejects/parts") == 1
    assert store.has_part("rejects", "c")


def test_a_version_that_is_published_meanwhile_is_whole(tmp_path: Path):
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    with store.snapshot():
        assert store.has_part("rejects", "a")
        newer = commit(Store(str(tmp_path)), a=("t1",), b=("t2",))
        assert store.latest("rejects") == newer
        assert store.has_part("rejects", "b")


def test_publishing_looks_at_the_store_anew(tmp_path: Path):
    store = Store(str(tmp_path))
    with store.snapshot():
        commit(store, a=("t1",))
        Store(str(tmp_path)).storage.delete("rejects/parts/a.parquet")
        Store(str(tmp_path)).write_part("rejects", "b", rejects("t2"))
        with pytest.raises(Exception, match=r"no such object|deleted while it was published"):
            store.commit("rejects", ["a", "b"], recipe="ab", config={})


def test_a_version_that_was_given_up_is_not_known_any_more(tmp_path: Path):
    store = Store(str(tmp_path))
    ref = commit(store, a=("t1",))
    with store.snapshot():
        assert store.has_version(ref)
        store.give_up(ref)
        assert not store.has_version(ref)
        assert store.manifest(ref).rows == 1, "its manifest remains as a record"
        assert not store.has_version(ref)


def test_other_threads_see_the_store_as_it_is(tmp_path: Path):
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    seen = []
    with store.snapshot():
        assert not store.has_part("rejects", "b")
        Store(str(tmp_path)).write_part("rejects", "b", rejects("t2"))
        thread = threading.Thread(target=lambda: seen.append(store.has_part("rejects", "b")))
        thread.start()
        thread.join()
        assert (seen, store.has_part("rejects", "b")) == ([True], False)
