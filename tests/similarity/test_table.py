"""The table of similar tracks: what `Library.similar` answers, for every track, published once."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from audioae.api import Library
from audioae.errors import StoreError
from audioae.similarity import table
from audioae.similarity.table import SimilarConfig, publish_similar
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.stores import made_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Thirty tracks, of which 24 are copies of the first three: most of what is near is a copy."""
    return made_store(tmp_path / "store", 30, copies={i: i % 3 for i in range(3, 27)}, same_bytes={29: 28})


def rows_by_track(store: Store, ref: DatasetRef) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {}
    for row in store.read(ref).to_pylist():
        found.setdefault(row["track_id"], []).append(
            (row["rank"], row["neighbor"], pytest.approx(row["score"], abs=1e-5))
        )
    return found


@pytest.mark.parametrize("k", [2, 20])
def test_is_what_similar_answers_for_every_track(store: Store, monkeypatch: pytest.MonkeyPatch, k: int):
    monkeypatch.setattr(table, "BLOCK", 7)
    ref = publish_similar(store, SimilarConfig(k=k), store.require("index"))
    found, library = rows_by_track(store, ref), Library(store)
    assert set(found) == set(library.index.ids.to_pylist())
    assert "t29" not in found
    for track_id, rows in found.items():
        answer = library.similar(track_id, k).neighbors
        assert [(row["rank"], row["track_id"], row["score"]) for row in answer] == rows
        assert len(rows) == min(k, 4)  # of five recordings
    assert len(store.manifest(ref).parts) == 5
    assert set(store.manifest(ref).parents) == {"index", "embeddings", "tracks"}


def test_is_published_once_for_an_index(store: Store):
    index = store.require("index")
    ref = publish_similar(store, SimilarConfig(k=3), index)
    parts = store.part_fingerprints("similar")
    assert publish_similar(store, SimilarConfig(k=3), index) == ref
    assert store.part_fingerprints("similar") == parts
    other = publish_similar(store, SimilarConfig(k=2), index)
    assert store.latest("similar") == other != ref


def test_one_track_has_no_neighbors(tmp_path: Path):
    store = made_store(tmp_path / "store", 1)
    ref = publish_similar(store, SimilarConfig(), store.require("index"))
    assert store.read(ref).num_rows == 0


def test_bad_input(store: Store):
    with pytest.raises(StoreError, match="no version index@0123"):
        publish_similar(store, SimilarConfig(), DatasetRef("index", "0123"))
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        SimilarConfig(k=0)
    assert store.latest("similar") is None


def test_processes_share_the_blocks(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(table, "BLOCK", 7)
    config, index = SimilarConfig(k=3), store.require("index")
    assert table.pending_similar(store, config, index) == [0, 1, 2, 3, 4]
    assert table.compute_similar(store, config, index, [4, 1]) == 2
    assert table.pending_similar(Store(store.root), config, index) == [0, 2, 3]
    assert table.compute_similar(Store(store.root), config, index, [0, 1, 2, 3]) == 3, "block 1 exists"
    ref = table.commit_similar(store, config, index)
    assert publish_similar(store, config, index) == ref
    assert len(rows_by_track(store, ref)) == 29
