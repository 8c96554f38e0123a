"""Embeddings do not depend on how they are computed, and each part belongs to one model."""

import numpy as np
import pyarrow as pa
import pytest

from audioae.api import Library
from audioae.errors import SearchError, StoreError
from audioae.pipeline.clips import iter_clips
from audioae.pipeline.config import MelsConfig, Workers
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.pipeline.index import build_index, read_embeddings
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels, plan_mels
from audioae.pipeline.shards import shard_numbers
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


def copy_datasets(source: Store, target: Store, *datasets: str) -> None:
    """Copy the published versions of `datasets` to a second store."""
    for dataset in datasets:
        for key in source.storage.list(dataset):
            target.storage.write(key, source.storage.read(key))


def test_embedding_without_stored_mels_gives_the_same_parts(chain, tmp_path):
    """A catalog can be embedded without ever storing its mels; the parts are byte-identical."""
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model")
    tracks, model = other.require("tracks"), other.require("model")
    pending = pending_embeddings(other, config.mels, tracks, model)
    assert pending == shard_numbers(other, tracks)
    compute_embeddings(other, config.mels, tracks, model, pending, Workers(2))
    ref = commit_embeddings(other, config.mels, tracks, model, max_reject_rate=0.0)
    assert ref == store.require("embeddings")
    assert other.latest("mels") is None
    assert other.part_fingerprints("mels") == set()
    for dataset in ("health", "rejects"):
        assert other.latest(dataset) == store.latest(dataset)


def test_the_embedding_of_a_file_agrees_with_the_stored_one(chain):
    store, _ = chain
    library = Library(store)
    table = read_embeddings(store, store.require("embeddings"))
    for row in library.tracks.slice(0, 4).to_pylist():
        stored = table.embeddings[table.row_of(row["track_id"])]
        assert float(stored @ library.embed_file(row["uri"])) >= 0.99999


def test_max_stored_tracks_stores_a_sample_of_whole_shards(chain, tmp_path):
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks")
    tracks = other.require("tracks")
    sample = MelsConfig(max_stored_tracks=9, clips=config.mels.clips, decode=config.mels.decode)
    chosen = plan_mels(other, sample, tracks)
    assert len(chosen) == 2
    compute_mels(other, sample, tracks, pending_mels(other, sample, tracks), Workers(1))
    ref = commit_mels(other, sample, tracks, max_reject_rate=0.0)
    assert len(set(other.read(ref, ["track_id"])["track_id"].to_pylist())) == 8
    assert pending_mels(other, sample, tracks) == []


def test_a_missing_part_is_an_error_and_nothing_is_published(chain, tmp_path):
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model")
    tracks, model = other.require("tracks"), other.require("model")
    compute_embeddings(other, config.mels, tracks, model, [0, 1], Workers(1))
    with pytest.raises(StoreError):
        commit_embeddings(other, config.mels, tracks, model, max_reject_rate=0.0)
    assert other.latest("embeddings") is None


def test_another_model_makes_other_parts(chain):
    store, config = chain
    tracks = store.require("tracks")
    assert pending_embeddings(store, config.mels, tracks, store.require("model")) == []
    assert len(pending_embeddings(store, config.mels, tracks, DatasetRef("model", "another"))) == 6


def test_a_model_and_an_index_that_do_not_belong_together(chain, tmp_path):
    """An index whose embeddings came from another model is refused when it is opened."""
    store, _ = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model", "embeddings", "index", "health", "rejects")
    index = other.manifest(other.require("index"))
    embeddings = other.manifest(other.require("embeddings"))
    strange = other.publish(embeddings.model_copy(update={"parents": {**embeddings.parents, "model": "000000000000"}}))
    other.publish(index.model_copy(update={"parents": {**index.parents, "embeddings": strange.version}}))
    with pytest.raises(SearchError, match="model@000000000000"):
        Library(other).index.search(np.ones((1, 128), np.float32), 1)


def test_an_index_that_fails_its_gate_is_not_published(chain, tmp_path):
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model", "embeddings", "index")
    before = other.require("index")
    strict = config.index.model_copy(update={"max_p99_ms": 1e-9})
    with pytest.raises(SearchError, match="p99"):
        build_index(other, strict, other.require("embeddings"))
    assert other.require("index") == before
    assert len(other.versions("index")) == 1


def test_an_exact_duplicate_has_the_embedding_of_its_original(chain):
    store, _ = chain
    library = Library(store)
    row = library.tracks.to_pylist()[0]
    twin = {**row, "track_id": "f" * 16, "duplicate_of": row["track_id"]}
    assert np.array_equal(library.embedding_of(twin), library.embedding_of(row))


def test_clips_come_in_shard_order_and_progress_ends_at_the_total(chain):
    store, config = chain
    seen: list[tuple[int, int]] = []
    parts = iter_clips(
        store,
        store.require("tracks"),
        [2, 0],
        config.mels,
        Workers(1),
        keep_mels=False,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    tables: dict[int, pa.Table] = {shard: mels for shard, _, mels in parts}
    assert list(tables) == [0, 2]
    assert seen[-1] == (8, 8)
