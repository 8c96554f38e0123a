"""Looking for results that exist costs the same, however many versions and shards there are."""

from pathlib import Path

import pytest

from audioae.pipeline.config import MelsConfig
from audioae.pipeline.reuse import VERSIONS, History
from audioae.pipeline.shards import iter_shards
from audioae.store.dataset import Store
from tests.pipeline.big_shard import made_tracks


def test_few_manifests_are_read_however_many_versions_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(str(tmp_path))
    refs = [made_tracks(store, [n, 1]) for n in range(1, 30)]
    read = []
    parse = Store.parse
    monkeypatch.setattr(Store, "parse", lambda self, ref, key: read.append(ref) or parse(self, ref, key))
    history = History(Store(str(tmp_path)), refs[-1], MelsConfig())
    ((_, tracks),) = iter_shards(store, refs[-1], [0])
    read.clear()
    assert list(history.of(0, tracks)) == []
    assert set(read) - {refs[-1]} == set(refs[-1 - VERSIONS : -1])


def test_a_damaged_version_of_the_catalog_is_passed_by(tmp_path: Path):
    store = Store(str(tmp_path))
    old, now = made_tracks(store, [2, 1]), made_tracks(store, [3, 1])
    store.storage.write(store.version_key(old), b"{")
    ((_, tracks),) = iter_shards(store, now, [0])
    assert list(History(store, now, MelsConfig()).of(0, tracks)) == []
