"""An index that is filled shard by shard: on several machines, on a grown catalog, and after the music has changed."""

from pathlib import Path

import numpy as np
import pytest

from audioae.errors import SearchError, StoreError
from audioae.pipeline import index_lists, index_neighbors
from audioae.pipeline.embeddings import read_embeddings
from audioae.pipeline.index import build_index, commit_index, load_index, read_gate
from audioae.pipeline.index_lists import compute_index, load_training, pending_index, train_index
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.search import engine
from audioae.search.factory import IndexConfig
from audioae.search.recall import exact_neighbors, recall_at_k
from audioae.store.artifacts import artifact_path
from audioae.store.dataset import Store
from tests.made_embeddings import commit_parts
from tests.search.made import clustered

FACTORIES = ("IVF32,SQ8", "IVF32,PQ128x4fs,RFlat", "IVF32_HNSW32,PQ128x4fs,Refine(SQ8)", "RR,IVF32,RaBitQ5")
QUICK = {"n_queries": 400, "train_size": 2_000, "min_recall": 0.9}


@pytest.fixture(scope="module")
def parts() -> list[np.ndarray]:
    return [clustered(600 + 10 * number, seed=number + 1) for number in range(6)]


def config(factory: str = "IVF32,SQ8", **changed) -> IndexConfig:
    return IndexConfig(factory=factory, **{**QUICK, **changed})


def index_bytes(store: Store) -> bytes:
    return artifact_path(store, store.require("index"), "index.faiss").read_bytes()


def names(store: Store) -> set[str]:
    return set(store.part_fingerprints("index_lists"))


@pytest.mark.parametrize("factory", FACTORIES)
def test_an_index_built_by_shards_finds_the_neighbors_and_says_how_many(factory: str, parts, tmp_path: Path):
    store = Store(str(tmp_path))
    embeddings = commit_parts(store, parts)
    index = load_index(store, build_index(store, config(factory), embeddings))
    table, gate = read_embeddings(store, embeddings), read_gate(store, store.require("index"))
    assert index.ids.equals(table.track_ids), "a row of the index is a row of the embeddings"
    queries = clustered(400, seed=99)
    found = index.search(queries, 10)[1]
    recall, error = recall_at_k(found, exact_neighbors(table.embeddings, queries, 40))
    assert recall + 3 * error >= 0.95
    assert gate["recall"] == pytest.approx(recall, abs=0.03)
    assert (gate["n"], gate["n_queries"], gate["held_out"]) == (len(table), 200, True)
    assert gate["recall_se"] > 0
    assert gate["self_retrieval"] > 0.95


def test_machines_that_share_the_shards_make_the_same_index(parts, tmp_path: Path):
    made = []
    for number, groups in enumerate([[range(6)], [(1, 4), (5, 0, 3), (2, 3)]]):
        store = Store(str(tmp_path / str(number)))
        embeddings = commit_parts(store, parts)
        training = train_index(store, config(), embeddings)
        assert training is not None
        assert pending_index(store, embeddings, training) == list(range(6))
        for group in groups:
            n = compute_index(Store(store.root), embeddings, training, list(group))
            assert n == sum(len(parts[shard]) for shard in group)
        assert pending_index(store, embeddings, training) == []
        commit_index(store, config(), embeddings, training)
        made.append(index_bytes(store))
    assert made[0] == made[1]


def test_nothing_is_published_while_the_lists_of_a_shard_are_missing(parts, tmp_path: Path):
    store = Store(str(tmp_path))
    embeddings = commit_parts(store, parts)
    training = train_index(store, config(), embeddings)
    assert training is not None
    compute_index(store, embeddings, training, [0, 1, 2])
    with pytest.raises(StoreError):
        commit_index(store, config(), embeddings, training)
    assert store.latest("index") is None


@pytest.mark.parametrize("factory", FACTORIES)
def test_a_grown_index_is_the_one_that_would_be_built_at_once(factory: str, parts, tmp_path: Path):
    """With the same training: same bytes, so the same neighbors; and only the new shard is done."""
    grown, at_once = Store(str(tmp_path / "grown")), Store(str(tmp_path / "at once"))
    for store in (grown, at_once):
        few = commit_parts(store, parts[:5])
        training = train_index(store, config(factory), few)
        if store is grown:
            build_index(store, config(factory), few)
            before = names(store)
        embeddings = commit_parts(store, parts)
        assert train_index(store, config(factory), embeddings) == training
        if store is grown:
            assert pending_index(store, embeddings, training) == [5]
        build_index(store, config(factory), embeddings)
    assert len(names(grown) - before) == 1
    assert index_bytes(grown) == index_bytes(at_once)
    assert len(load_index(grown, grown.require("index"))) == sum(map(len, parts))


def test_the_truth_of_a_grown_index_has_the_new_tracks(parts, tmp_path: Path):
    """Recall is that of all tracks: a new track nearer than all others counts as a neighbor."""
    store = Store(str(tmp_path))
    few = commit_parts(store, parts[:5])
    training = train_index(store, config(), few)
    assert training is not None
    queries = load_training(store, training).queries
    build_index(store, config(), few)
    near = queries.embeddings[:200] + 0.01 * clustered(200, seed=50)
    embeddings = commit_parts(store, [*parts[:5], near / np.linalg.norm(near, axis=1, keepdims=True)])
    build_index(store, config(nprobe=1, min_recall=0.0), embeddings)
    index = load_index(store, store.require("index"))
    table = read_embeddings(store, embeddings)
    held = table.rows_of(queries.track_ids)
    scores, rows = exact_neighbors(table.embeddings, queries.embeddings, 60)
    hits = index.search(queries.embeddings, 25)[1]
    kept = [[row for row in line if row not in held][:40] for line in rows]
    truth = np.array([scores[i][np.isin(rows[i], kept[i])][:40] for i in range(400)]), np.array(kept)
    found = np.array([[row for row in line if row not in held][:10] for line in hits])
    assert index.measured["recall"] == pytest.approx(recall_at_k(found, truth)[0], abs=0.02)
    assert index.measured["n_queries"] == 400, "nothing was tuned"


def test_a_removed_track_costs_its_shard_only(parts, tmp_path: Path):
    store = Store(str(tmp_path))
    ids = [[f"{number}-{row:05d}" for row in range(len(part))] for number, part in enumerate(parts)]
    build_index(store, config(), commit_parts(store, parts, names=ids))
    fewer, left = [*parts], [*ids]
    fewer[2], left[2] = parts[2][5:], ids[2][5:]
    embeddings = commit_parts(store, fewer, names=left)
    training = train_index(store, config(), embeddings)
    assert pending_index(store, embeddings, training) == [2]
    index = load_index(store, build_index(store, config(), embeddings))
    assert index.ids.to_pylist() == [name for one in left for name in one]


def test_it_is_trained_again_when_the_music_has_changed(parts, tmp_path: Path):
    store = Store(str(tmp_path))
    few = commit_parts(store, parts[:4])
    training = train_index(store, config(), few)
    same = commit_parts(store, parts[:5])
    assert train_index(store, config(), same) == training
    other = np.random.default_rng(0).standard_normal((650, 128), np.float32)
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    changed = commit_parts(store, [*parts[:4], other])
    again = train_index(store, config(), changed)
    assert again not in (None, training)
    assert pending_index(store, changed, again) == [0, 1, 2, 3, 4]


def test_it_is_trained_again_when_the_catalog_has_more_than_doubled_or_settings_changed(parts, tmp_path: Path):
    store = Store(str(tmp_path))
    first = train_index(store, config(), commit_parts(store, parts[:2]))
    assert train_index(store, config(), commit_parts(store, parts[:3])) == first
    second = train_index(store, config(), commit_parts(store, parts))
    assert second != first
    embeddings = store.require("embeddings")
    assert train_index(store, config(nprobe=3, min_recall=0.5, max_p99_ms=50), embeddings) == second
    assert train_index(store, config(seed=1), embeddings) not in (first, second)


@pytest.mark.parametrize("factory", ["auto", "Flat", "HNSW32"])
def test_small_catalogs_and_graphs_take_one_pass(factory: str, parts, tmp_path: Path):
    store = Store(str(tmp_path))
    embeddings = commit_parts(store, parts[:2])
    assert train_index(store, config(factory), embeddings) is None
    assert pending_index(store, embeddings, None) == []
    assert len(load_index(store, build_index(store, config(factory), embeddings))) == len(parts[0]) + len(parts[1])
    assert store.latest("index_training") is None


def test_an_index_that_fails_its_gate_is_not_published(parts, tmp_path: Path):
    store = Store(str(tmp_path))
    embeddings = commit_parts(store, parts)
    with pytest.raises(SearchError, match=r"failed its quality gate .*recall 0\.\d+ is 0\.\d+ below 1"):
        build_index(store, config(nprobe=1, min_recall=1.0), embeddings)
    assert store.latest("index") is None


def test_neighborhoods_are_those_of_exact_search(parts, tmp_path: Path):
    store = Store(str(tmp_path))
    embeddings = commit_parts(store, parts)
    build_index(store, config("IVF32,PQ128x4fs,RFlat", nprobe=32, k_factor=8), embeddings)
    neighbors = read_index_neighbors(store, store.require("index"))
    table = read_embeddings(store, embeddings)
    assert neighbors is not None
    assert neighbors["track_id"].combine_chunks().equals(table.track_ids)
    exact = exact_neighbors(table.embeddings, table.embeddings, 11)[0][:, 1:].mean(axis=1)
    assert np.allclose(neighbors["radius"].to_numpy(), exact, atol=1e-4)


def test_names_of_lists_depend_on_the_code(parts, tmp_path: Path, monkeypatch):
    store = Store(str(tmp_path))
    embeddings = commit_parts(store, parts[:2])
    training = train_index(store, config(), embeddings)
    assert training is not None
    compute_index(store, embeddings, training, [0, 1])
    monkeypatch.setattr(index_lists, "CODE", 99)
    assert pending_index(store, embeddings, training) == [0, 1]


def test_neighbors_of_unchanged_shards_are_taken_over_until_the_catalog_has_grown_by_a_tenth(
    parts, tmp_path: Path, monkeypatch
):
    store, searched = Store(str(tmp_path)), []
    original = index_neighbors.nearest_others

    def watch(index, embeddings, own, *rest):
        searched.append((int(own[0]), len(own)))
        return original(index, embeddings, own, *rest)

    monkeypatch.setattr(index_neighbors, "nearest_others", watch)
    few, n = [*parts[:5], parts[5][:10]], sum(map(len, parts[:5]))
    build_index(store, config(), commit_parts(store, parts[:5]))
    before = read_index_neighbors(store, store.require("index"))
    assert before is not None
    assert sum(size for _, size in searched) == n
    searched.clear()
    build_index(store, config(), commit_parts(store, few))
    now = read_index_neighbors(store, store.require("index"))
    assert now is not None
    assert searched == [(n, 10)]
    assert now["radius"].to_pylist()[:n] == before["radius"].to_pylist()
    assert (now.schema.metadata or {})[b"among"] == str(n).encode()
    searched.clear()
    build_index(store, config(), commit_parts(store, parts))
    assert sum(size for _, size in searched) == sum(map(len, parts)), "600 more tracks are more than a tenth"


def test_a_grown_index_keeps_its_search_parameters_while_they_suffice(parts, tmp_path: Path, monkeypatch):
    store, tried = Store(str(tmp_path)), []
    original = engine.searcher
    monkeypatch.setattr(
        engine, "searcher", lambda index, setting, *more: tried.append(setting) or original(index, setting, *more)
    )
    few = config("IVF32,PQ128x4fs,RFlat")
    build_index(store, few, commit_parts(store, parts[:5]))
    first = read_gate(store, store.require("index"))["parameters"]
    assert len(tried) > 5
    tried.clear()
    build_index(store, few, commit_parts(store, parts))
    gate = read_gate(store, store.require("index"))
    assert gate["recall"] >= 0.93
    assert tried[0] == first, "cheaper settings are not tried"
    assert len(tried) < 8
