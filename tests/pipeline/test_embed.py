"""Embeddings do not depend on how they are computed, and each part belongs to one model."""

from dataclasses import replace

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import StoreError
from audioae.pipeline.config import Workers
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.pipeline.index import read_embeddings
from audioae.pipeline.shards import shard_numbers
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.chain import copy_datasets


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
        assert float(stored @ library.embed(row["uri"]).embedding) >= 0.99999


def test_a_missing_part_is_an_error_and_nothing_is_published(chain, tmp_path):
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model")
    tracks, model = other.require("tracks"), other.require("model")
    compute_embeddings(other, config.mels, tracks, model, [0, 1], Workers(1))
    with pytest.raises(StoreError):
        commit_embeddings(other, config.mels, tracks, model, max_reject_rate=0.0)
    assert other.latest("embeddings") is None


def test_the_parts_of_one_model_are_pending_for_another(chain):
    store, config = chain
    tracks = store.require("tracks")
    assert pending_embeddings(store, config.mels, tracks, store.require("model")) == []
    assert len(pending_embeddings(store, config.mels, tracks, DatasetRef("model", "another"))) == 6


def test_an_exact_duplicate_has_the_embedding_of_its_original(chain):
    store, _ = chain
    library = Library(store)
    original = library.find(library.tracks["track_id"][0].as_py())
    duplicate = replace(original, track_id="f" * 16, duplicate_of=original.track_id)
    assert np.array_equal(library.embedding_of(duplicate), library.embedding_of(original))
