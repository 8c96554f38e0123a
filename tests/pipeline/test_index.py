"""The stage index: the quality gate, and an index that belongs to another model."""

import numpy as np
import pytest

from audioae.api import Library
from audioae.errors import SearchError
from audioae.pipeline.index import build_index
from audioae.store.dataset import Store
from tests.chain import copy_datasets


def test_an_index_of_another_model_is_refused(chain, tmp_path):
    """An index whose embeddings come from another model is refused when it is opened."""
    store, _ = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model", "embeddings", "index", "health", "rejects")
    index = other.manifest(other.require("index"))
    embeddings = other.manifest(other.require("embeddings"))
    foreign = other.publish(embeddings.model_copy(update={"parents": {**embeddings.parents, "model": "000000000000"}}))
    other.publish(index.model_copy(update={"parents": {**index.parents, "embeddings": foreign.version}}))
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
