"""Swapping the index: no request fails or mixes two, what is broken is not served, and the old one is freed."""

import asyncio
import gc
import threading
import time
import weakref
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest

from audioae.errors import AudioaeError, DamageError, SearchError, StoreError
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.serve.generations import Generations, load
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.prune import prune
from tests.serve.conftest import ADMIN_KEY, KEYS, READ_KEY
from tests.serve.serving import Server, catalog_store

PATIENCE_S = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return catalog_store(tmp_path)


def publish(store: Store, seed: int) -> DatasetRef:
    """Another index over the same embeddings: a new generation, or an earlier one again."""
    embeddings = store.require("embeddings")
    return build_index(store, IndexConfig(seed=seed), embeddings)


def publish_renamed(store: Store) -> DatasetRef:
    """A generation with another catalog: the same tracks, with other titles."""
    tracks = store.read(store.require("tracks"))
    titles = pa.array([f"New title {i}" for i in range(len(tracks))])
    renamed = tracks.set_column(tracks.schema.get_field_index("title"), tracks.schema.field("title"), titles)
    store.write_part("tracks", "000000-renamed", renamed)
    catalog = store.commit("tracks", ["000000-renamed"], recipe="renamed", config={})
    old = store.require("embeddings")
    manifest = store.manifest(old)
    parents = [DatasetRef(*parent) for parent in {**manifest.parents, "tracks": catalog.version}.items()]
    names = [part.name.removesuffix(".parquet") for part in manifest.parts]
    embeddings = store.commit("embeddings", names, recipe="renamed", config=manifest.config, parents=parents)
    return build_index(store, IndexConfig(), embeddings)


def until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Load(threading.Thread):
    """Asks on one connection until it is told to stop; checks that each answer is of one generation."""

    def __init__(self, server: Server, expected: dict[str, list[str]]):
        super().__init__(daemon=True)
        self.server, self.expected = server, expected
        self.failures: list[str] = []
        self.indexes: set[str] = set()
        self.n = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        with self.server.client(READ_KEY) as client:
            while not self.stopping.is_set():
                answer = client.post("/v1/similar", json={"seeds": [{"track_id": "t07"}], "k": 5})
                if answer.status_code != 200:
                    self.failures.append(answer.text)
                    continue
                content = answer.json()
                if [n["title"] for n in content["neighbors"]] != self.expected[content["index"]]:
                    self.failures.append(f"mixed: {answer.text}")
                self.indexes.add(content["index"])
                self.n += 1


def test_twenty_swaps_under_load_fail_no_request_and_mix_nothing(store, serve):
    """The two generations have different catalogs, and so different answers to the same question."""
    from audioae.api import Library

    first, second = store.require("index"), publish_renamed(store)
    expected = {
        str(ref): [str(n.title) for n in Library(store, ref).similar("t07", 5).neighbors] for ref in (first, second)
    }
    assert expected[str(first)] != expected[str(second)]
    server = serve(store, keys=KEYS)
    loads = [Load(server, expected) for _ in range(4)]
    for one in loads:
        one.start()
    try:
        with server.client(ADMIN_KEY) as admin:
            for i in range(20):
                target = str((first, second)[i % 2])
                answer = admin.post("/v1/index:reload", json={"index": target})
                assert answer.status_code == 200, answer.text
                assert answer.json()["to"] == target
                seen = sum(one.n for one in loads)
                until(lambda seen=seen: sum(one.n for one in loads) > seen + 4)
    finally:
        for one in loads:
            one.stopping.set()
        for one in loads:
            one.join(PATIENCE_S)
    assert [failure for one in loads for failure in one.failures] == []
    assert set.union(*(one.indexes for one in loads)) == {str(first), str(second)}
    assert sum(one.n for one in loads) > 80


def test_reload_needs_the_admin_key_and_says_what_it_did(store, serve):
    first = str(store.require("index"))
    server = serve(store, keys=KEYS)
    with server.client(READ_KEY) as client:
        refused = client.post("/v1/index:reload")
        assert (refused.status_code, refused.json()["detail"]) == (403, "this needs an admin key")
    with server.client() as client:
        assert client.post("/v1/index:reload").status_code == 401
    with server.client(ADMIN_KEY) as client:
        same = client.post("/v1/index:reload").json()
        assert (same["from"], same["to"]) == (first, first)
        second = str(publish(store, 1))
        answer = client.post("/v1/index:reload")
        assert answer.json() == {"from": first, "to": second, "index": second, "model": answer.json()["model"]}
        assert client.get("/v1/index").json()["pinned"] is False
        back = client.post("/v1/index:reload", json={"index": first}).json()
        assert (back["from"], back["to"]) == (second, first)
        assert client.get("/v1/index").json()["pinned"] is True
        assert client.post("/v1/index:reload", json={"index": "embeddings@1"}).status_code == 422
        unknown = client.post("/v1/index:reload", json={"index": "index@000000000000"})
        assert unknown.status_code == 409
        assert "no version index@000000000000" in unknown.json()["detail"]
        assert client.get("/v1/index").json()["index"] == first


def test_nobody_reloads_a_server_without_keys(served):
    with served.client() as client:
        assert client.post("/v1/index:reload").status_code == 403


def test_an_index_that_fails_its_checks_is_not_served(store, serve):
    first = store.require("index")
    server = serve(store, keys=KEYS)
    second = publish(store, 1)
    gate = next(part.name for part in store.manifest(second).parts if part.name.endswith("gate.json"))
    path = Path(store.storage.path(store.part_key("index", gate)))
    path.write_bytes(path.read_bytes().replace(b'"n": 55', b'"n": 54'))
    with server.client(ADMIN_KEY) as client:
        answer = client.post("/v1/index:reload", json={"index": str(second)})
        assert answer.status_code == 409
        assert (answer.json()["type"], "gate.json" in answer.json()["detail"]) == ("urn:audioae:reload-failed", True)
        assert client.get("/v1/index").json()["index"] == str(first)
        assert client.post("/v1/similar", json={"seeds": [{"track_id": "t07"}]}).json()["index"] == str(first)
        text = client.get("/metrics").text
    assert 'audioae_index_reloads_total{result="failed"} 1.0' in text
    assert f'version="{first}"' in text


def test_follow_swaps_by_itself_unless_an_index_is_pinned(store, serve):
    first = str(store.require("index"))
    server = serve(store, keys=KEYS, follow_s=0.05)
    with server.client(ADMIN_KEY) as client:

        def index() -> str:
            return client.get("/v1/index").json()["index"]

        assert index() == first
        second = str(publish(store, 1))
        until(lambda: index() == second)
        client.post("/v1/index:reload", json={"index": first})
        publish(store, 2)
        time.sleep(0.4)
        assert index() == first
        client.post("/v1/index:reload")
        third = str(store.require("index"))
        assert index() == third != second
        publish(store, 1)
        until(lambda: index() == second)


def test_a_store_that_is_away_for_a_while_ends_nothing(store, serve, caplog):
    first = str(store.require("index"))
    server = serve(store, keys=KEYS, follow_s=0.05)
    away = Path(store.root).with_name("away")
    with server.client(ADMIN_KEY) as client:
        Path(store.root).rename(away)
        until(lambda: "cannot follow the store" in caplog.text)
        answer = client.post("/v1/similar", json={"seeds": [{"track_id": "t07"}]})
        assert (answer.status_code, answer.json()["index"]) == (200, first)
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/index:reload").status_code == 409
        away.rename(store.root)
        second = str(publish(store, 1))
        until(lambda: client.get("/v1/index").json()["index"] == second)
    assert caplog.text.count("cannot follow the store") == 1


def test_pruning_what_is_served_leaves_its_answers_as_they_were(store, serve):
    first = store.require("index")
    server = serve(store)
    questions = [
        {"seeds": [{"track_id": "t07"}], "k": 5},
        {"seeds": [{"track_id": "t50"}], "k": 5},
        {"seeds": [{"track_id": "t31"}], "k": 5, "diversity": 0.5, "hub_correction": True},
        {"seeds": [{"track_id": "t08"}], "k": 5, "filters": {"label": "style 1", "year": {"gte": 1990}}},
    ]
    with server.client() as client:
        before = [client.post("/v1/similar", json=question).json() for question in questions]
        assert all(len(answer["neighbors"]) > 2 for answer in before)
        rejected = client.post("/v1/similar", json={"seeds": [{"track_id": "t57"}]})
        assert rejected.status_code == 422
        publish_renamed(store)
        pruned = prune(Store(store.root), keep=1, grace=timedelta(0))
        assert first in pruned.versions
        assert [client.post("/v1/similar", json=question).json() for question in questions] == before
        rejected = client.post("/v1/similar", json={"seeds": [{"track_id": "t57"}]})
        assert rejected.status_code in (422, 503), "it has no embedding, and why is told by the store or not at all"
        assert rejected.headers["content-type"] == "application/problem+json"
        assert client.get("/v1/index").json()["gate"]["n"] == 55
        assert client.get("/readyz").status_code == 200


def test_two_reloads_at_once_follow_one_another_and_the_old_generation_is_freed(store):
    second = publish(store, 1)
    first = store.require("index")
    generations = Generations(load(store.root), store.root)
    told: list[tuple[str, bool]] = []
    results: list[str] = []
    generations.swapped = lambda index, pinned: told.append((index, pinned))
    generations.counted = results.append
    old = weakref.ref(generations.current.library)

    async def main():
        targets = [str(publish(store, 2)), str(second), str(first)]
        reloads = [generations.reload(target) for target in targets]
        pairs = await asyncio.gather(*reloads)
        assert [after for _, after in pairs] == targets
        assert [before for before, _ in pairs][1:] == targets[:2]
        assert told == [(target, True) for target in targets]
        with pytest.raises(StoreError):
            await generations.reload("index@000000000000")

    asyncio.run(main())
    assert results[-1] == "failed"
    until(lambda: old() is None)
    generations.close()


def test_a_generation_without_what_a_query_needs_is_refused_with_what_is_wrong(store):
    from audioae.api import Library
    from audioae.library.self_check import check_generation

    library = Library(store)
    check_generation(library)
    turned = Library(store)
    turned.alignment.catalog_row = turned.alignment.catalog_row[::-1]
    with pytest.raises(SearchError, match="is another track in tracks@"):
        check_generation(turned)
    other = Library(store)
    other.embedding_of = lambda track: library.index.embeddings(np.array([1]))[0]
    with pytest.raises(SearchError, match="holds another embedding of t"):
        check_generation(other)
    (vectors,) = Path(store.root).glob("index/parts/*/index.faiss")
    vectors.write_bytes(vectors.read_bytes()[:-1])
    with pytest.raises(DamageError):
        load(store.root)
    assert issubclass(DamageError, AudioaeError)
    gc.collect()


def test_index_describes_itself(served):
    with served.client() as client:
        content = client.get("/v1/index").json()
    index = served.library.index
    assert (content["index"], content["model"]) == (str(served.library.index_ref), index.model)
    assert (content["n"], content["factory"], content["pinned"]) == (len(index), index.factory, False)
    assert content["gate"]["recall"] == 1.0
    assert 0 < content["age_s"] < 3600
    assert content["published_at"] < content["loaded_at"]
    assert httpx.get(f"{served.url}/v1/index").headers["x-request-id"]
