"""Embeddings of a version, read whole, in blocks, by rows, and as a uniform sample."""

import itertools

import numpy as np
import pytest

from audioae.pipeline.embeddings import iter_embeddings, read_embeddings, sample_embeddings, take_embeddings
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.made_embeddings import commit_parts
from tests.search.made import clustered

SIZES = (40, 7, 0, 300, 1, 152)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Store, DatasetRef]:
    store = Store(str(tmp_path_factory.mktemp("store")))
    vectors = clustered(sum(SIZES), seed=1)
    starts = np.cumsum((0, *SIZES))
    return store, commit_parts(store, [vectors[a:b] for a, b in itertools.pairwise(starts)])


@pytest.mark.parametrize("rows", [1, 40, 64, 499, 500, 501])
def test_blocks_are_the_version_cut_into_equal_pieces(made, rows: int):
    store, ref = made
    whole, blocks = read_embeddings(store, ref), list(iter_embeddings(store, ref, rows))
    assert {len(block) for block in blocks[:-1]} <= {rows}
    assert np.array_equal(np.concatenate([block.embeddings for block in blocks]), whole.embeddings)
    assert [name for block in blocks for name in block.track_ids.to_pylist()] == whole.track_ids.to_pylist()
    assert {block.model for block in blocks} == {whole.model}


def test_a_sample_is_the_same_each_time_and_has_no_track_twice(made):
    store, ref = made
    whole, sample = read_embeddings(store, ref), sample_embeddings(store, ref, 200, seed=3)
    again = sample_embeddings(store, ref, 200, seed=3)
    assert sample is not None
    assert again is not None
    assert sample.track_ids.equals(again.track_ids)
    assert len(sample) == 200
    assert np.array_equal(whole.embeddings[whole.rows_of(sample.track_ids)], sample.embeddings)
    other = sample_embeddings(store, ref, 200, seed=4)
    assert other is not None
    assert not sample.track_ids.equals(other.track_ids)


def test_a_sample_of_all_has_every_track(made):
    store, ref = made
    sample = sample_embeddings(store, ref, 10_000, seed=0)
    assert sample is not None
    assert sorted(sample.track_ids.to_pylist()) == sorted(read_embeddings(store, ref).track_ids.to_pylist())


def test_every_track_is_as_likely_in_a_sample_and_in_its_first_rows(made):
    """Counts over 400 samples of 50 and over their first 10 rows: within 5 standard deviations for every track."""
    store, ref = made
    whole = read_embeddings(store, ref)
    counts, first = np.zeros(500), np.zeros(500)
    for seed in range(400):
        sample = sample_embeddings(store, ref, 50, seed)
        assert sample is not None
        rows = whole.rows_of(sample.track_ids)
        counts[rows] += 1
        first[rows[:10]] += 1
    for observed, share in ((counts, 0.1), (first, 0.02)):
        assert np.abs(observed - 400 * share).max() < 5 * np.sqrt(400 * share * (1 - share))


def test_a_sample_of_some_parts_has_only_their_tracks(made):
    store, ref = made
    parts = store.manifest(ref).parts[1:3]
    sample = sample_embeddings(store, ref, 50, 0, parts=parts)
    assert sample is not None
    assert sorted(sample.track_ids.to_pylist()) == read_embeddings(store, ref).track_ids.to_pylist()[40:47]
    assert sample_embeddings(store, ref, 50, 0, parts=parts[1:]) is None


def test_rows_are_taken_in_ascending_order_from_the_parts_that_hold_them(made, monkeypatch):
    store, ref = made
    whole, read = read_embeddings(store, ref), []
    original = store.read_parts
    monkeypatch.setattr(
        store, "read_parts", lambda name, parts, *more: read.extend(parts) or original(name, parts, *more)
    )
    taken = take_embeddings(store, ref, np.array([346, 41, 41, 46]))
    assert taken.track_ids.to_pylist() == [whole.track_ids[row].as_py() for row in (41, 46, 346)]
    assert len(read) == 2


def test_an_empty_version_has_no_blocks_and_no_sample(tmp_path):
    store = Store(str(tmp_path))
    ref = commit_parts(store, [np.empty((0, 128), np.float32)])
    assert list(iter_embeddings(store, ref)) == []
    assert sample_embeddings(store, ref, 5, 0) is None
    assert len(read_embeddings(store, ref)) == 0
