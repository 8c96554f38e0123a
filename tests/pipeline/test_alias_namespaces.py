"""Namespaces of aliases: each is replaced alone, and nothing is lost if several are published at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from audioae.pipeline import alias_namespaces
from audioae.pipeline.alias_namespaces import Namespace, Namespaces, read_namespaces, update_namespaces
from audioae.store.dataset import Store
from audioae.store.latest import Latest
from audioae.store.schemas import DATASETS
from audioae.store.upkeep import release, rollback


def written(store: Store, namespace: str, *external_ids: str) -> Namespace:
    name = f"{namespace}-{'-'.join(external_ids)}"
    rows = [
        {"namespace": namespace, "external_id": one, "track_id": "t00", "matched_by": "path"} for one in external_ids
    ]
    store.write_part("aliases", name, pa.Table.from_pylist(rows, schema=DATASETS["aliases"].schema))
    return Namespace(parts=(name,), rows=len(rows), tracks="tracks@1")


def put(store: Store, namespace: str, *external_ids: str) -> Namespaces:
    return read_namespaces(store, update_namespaces(store, {namespace: written(store, namespace, *external_ids)}))


def ids(store: Store) -> dict[str, list[str]]:
    rows = store.read(store.require("aliases")).to_pylist()
    names = sorted({row["namespace"] for row in rows})
    return {name: [row["external_id"] for row in rows if row["namespace"] == name] for name in names}


def test_a_namespace_is_replaced_or_removed_alone(tmp_path: Path):
    store = Store(str(tmp_path))
    assert list(put(store, "navidrome", "1", "2")) == ["navidrome"]
    assert list(put(store, "jellyfin", "3")) == ["jellyfin", "navidrome"]
    put(store, "navidrome", "4")
    assert ids(store) == {"jellyfin": ["3"], "navidrome": ["4"]}
    update_namespaces(store, {"jellyfin": None})
    assert ids(store) == {"navidrome": ["4"]}
    put(store, "jellyfin", "3")
    update_namespaces(store, {"jellyfin": None})
    update_namespaces(store, {"navidrome": None})
    assert store.read(store.require("aliases")).num_rows == 0


def test_a_publication_in_between_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The other one begins and ends between our reading of the current version and our publication."""
    store, other = Store(str(tmp_path)), Store(str(tmp_path))
    put(store, "a", "1")
    publish = alias_namespaces._publish

    def interrupted(*args):
        monkeypatch.setattr(alias_namespaces, "_publish", publish)
        put(other, "b", "2")
        publish(*args)

    monkeypatch.setattr(alias_namespaces, "_publish", interrupted)
    put(store, "c", "3")
    assert ids(store) == {"a": ["1"], "b": ["2"], "c": ["3"]}


def test_a_manifest_that_is_not_current_yet_is_not_lost(tmp_path: Path):
    """The other one has written its manifest, and LATEST after we have looked at it and before we write it."""
    store, other = Store(str(tmp_path)), Store(str(tmp_path))
    put(store, "a", "1")
    before = store.latest("aliases")
    put(other, "b", "2")
    assert before
    store.write_latest("aliases", Latest(before.version))
    put(store, "c", "3")
    assert ids(store) == {"a": ["1"], "b": ["2"], "c": ["3"]}


def test_many_at_once_lose_nothing(tmp_path: Path):
    names = [f"n{i}" for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: put(Store(str(tmp_path)), name, name), names))
    assert ids(Store(str(tmp_path))) == {name: [name] for name in names}


def test_what_was_rolled_back_does_not_come_back(tmp_path: Path):
    store = Store(str(tmp_path))
    put(store, "a", "1")
    put(store, "b", "2")
    rollback(store, "aliases")
    assert ids(store) == {"a": ["1"]}
    put(store, "c", "3")
    assert ids(store) == {"a": ["1"], "c": ["3"]}
    with pytest.raises(Exception, match="not pinned"):
        release(store, "aliases")
