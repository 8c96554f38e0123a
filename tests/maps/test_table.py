"""The stage map: every track once, in the order of the embeddings, and named regions."""

import numpy as np
import pytest

from audioae.errors import NotMappedError
from audioae.maps import table
from audioae.maps.config import MapConfig
from audioae.maps.reader import find_map, read_map
from audioae.maps.sample import sample_rows
from audioae.maps.table import publish_map
from audioae.pipeline.index import build_index
from audioae.pipeline.training_clips import hash_ids
from audioae.search.factory import IndexConfig
from audioae.store.dataset import Store
from tests.stores import made_store

N, FITTED = 70, 50
CONFIG = MapConfig(sample=FITTED, n_neighbors=8)


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    monkeypatch.setattr(table, "BLOCK", 32)
    return made_store(tmp_path, N, same_bytes={5: 4}, rejected=[9])


def test_every_embedded_track_is_on_the_map(store):
    index, steps = store.require("index"), []
    with pytest.raises(NotMappedError, match=rf"{index} has no map; make one \(`audioae run map CONFIG`\)"):
        read_map(store, index)
    ref = publish_map(store, CONFIG, index, lambda *step: steps.append(step))
    manifest = store.manifest(ref)
    assert steps == [("tracks placed", n, 68) for n in (32, 64, 68)]
    assert {*manifest.parents} == {"index", "embeddings", "tracks", "regions"}
    assert [part.rows for part in manifest.parts] == [32, 32, 4]
    rows = store.read(ref)
    embeddings = store.read(store.require("embeddings"), ["track_id"])
    assert rows["track_id"].equals(embeddings["track_id"])
    assert "t05" not in rows["track_id"].to_pylist(), "its place is that of t04"
    assert sum(rows["fitted"].to_pylist()) == manifest.config["measured"]["fitted"] == FITTED
    assert np.isfinite(rows["x"].to_numpy()).all()


def test_the_reader_gives_what_was_stored(store):
    index = store.require("index")
    rows = store.read(publish_map(store, CONFIG, index))
    for opened in (read_map(store, index), read_map(Store(store.root, verify=False), index)):
        assert np.array_equal(opened.x, rows["x"].to_numpy())
        assert np.array_equal(opened.y, rows["y"].to_numpy())
        assert opened.points.flags.c_contiguous
        assert opened.region.tolist() == rows["region"].to_pylist()
        assert opened.ids.rows_of(opened.track_ids.combine_chunks()).tolist() == [*range(68)]
        assert [region.n for region in opened.regions] == sorted((region.n for region in opened.regions), reverse=True)
        assert {region.region: region.n for region in opened.regions} == dict(
            zip(*(values.tolist() for values in np.unique(opened.region, return_counts=True)), strict=True)
        )
        assert opened.bounds == (min(opened.x), min(opened.y), max(opened.x), max(opened.y))


def test_a_map_is_made_once_for_the_same_embeddings(store, monkeypatch):
    index = store.require("index")
    ref = publish_map(store, CONFIG, index)
    monkeypatch.delattr(table, "FittedMap")
    assert publish_map(store, CONFIG, index) == ref
    other = build_index(store, IndexConfig(factory="HNSW32"), store.require("embeddings"))
    again = publish_map(store, CONFIG, other)
    assert again != ref
    assert store.manifest(again).parts == store.manifest(ref).parts, "its places were taken over"
    assert (find_map(store, index), find_map(store, other)) == (ref, again)
    assert read_map(store, other).regions == read_map(store, index).regions


def test_other_settings_start_from_the_last_map(store):
    index = store.require("index")
    first = publish_map(store, CONFIG, index)
    second = publish_map(store, CONFIG.model_copy(update={"sample": 60}), index)
    config = store.manifest(second).config
    assert (config["last"], store.manifest(first).config["last"]) == (str(first), None)
    assert config["measured"]["shared"] == 60, "tracks that were placed have a place, too"
    assert config["measured"]["median_shift"] < 0.1
    assert "map" not in store.manifest(second).parents, "or `prune` would keep every map"
    assert find_map(store, index) == second


def test_an_interrupted_map_comes_out_the_same(store, monkeypatch, tmp_path):
    index = store.require("index")
    whole = Store(str(tmp_path / "whole"))
    for dataset in ("tracks", "model", "embeddings", "index", "rejects", "health"):
        for key in store.storage.list(dataset):
            whole.storage.write(key, store.storage.read(key))

    def stop(what: str, done: int, total: int) -> None:
        if done > 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_map(store, CONFIG, index, stop)
    assert store.latest("map") is None
    assert publish_map(store, CONFIG, index) == publish_map(whole, CONFIG, index)


def test_a_map_whose_regions_are_lost_is_made_again(store):
    index = store.require("index")
    ref = publish_map(store, CONFIG, index)
    (part,) = store.manifest(store.manifest(ref).parent("regions")).parts
    store.storage.delete(store.part_key("regions", part.name))
    again = Store(store.root)
    assert publish_map(again, CONFIG, index) != ref
    assert sum(region.n for region in read_map(again, index).regions) == 68


def test_regions_have_the_labels_of_their_tracks(tmp_path):
    labels = ["<script>alert(1)</script>", "Rock", "a\nb"]
    group = [i // 20 for i in range(60)]
    columns = {"label": [labels[i] for i in group], "year": [1990 + 10 * i for i in group]}
    store = made_store(tmp_path, 60, copies={i: 20 * group[i] for i in range(60)}, columns=columns)
    index = store.require("index")
    publish_map(store, MapConfig(), index)
    opened = read_map(store, index)
    assert {region.name for region in opened.regions} == {"<script>alert(1)</script>", "Rock", "a b"}
    for region in opened.regions:
        first = region.traits[0]
        assert (first.column, first.n, first.share, first.lift) == ("label", 20, 1, 3)
        assert {trait.column for trait in region.traits} == {"label", "artist", "decade"}
        own = opened.points[opened.region == region.region]
        assert [region.x, region.y] in own.tolist()


def test_the_sample_is_of_the_smallest_hashes_and_grows_with_the_catalog(store):
    embeddings = store.require("embeddings")
    ids = store.read(embeddings, ["track_id"])["track_id"].combine_chunks()
    few, more = sample_rows(store, embeddings, 20), sample_rows(store, embeddings, 30)
    assert {*few} == {*np.argsort(hash_ids(ids))[:20]}
    assert {*few} < {*more}
    assert sample_rows(store, embeddings, 1000).tolist() == [*range(68)]
