"""Example playlists join distant tracks; example listeners are spread over the recommendations."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from audioae.library.catalog_columns import CatalogColumns
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.pages.report_page import ReportData
from audioae.report.examples import example_listeners, far_pairs
from audioae.report.excerpts import PageTracks
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.report.made import publish_recommendations


def test_playlists_join_distant_tracks(data: ReportData, store: Store):
    vectors = vectors_from_store(store, store.require("embeddings"))
    ends = [(walk["entries"][0]["key"], walk["entries"][-1]["key"]) for walk in data.walks]
    assert ends == far_pairs(vectors, 2)
    assert [len(walk["entries"]) for walk in data.walks] == [10, 10]


def test_second_pair_has_other_artists_and_labels(data: ReportData):
    assert data.metadata is not None
    (a, b), (c, d) = far_pairs(TrackVectors("s", data.vectors, data.metadata, []), 2)
    cosines = data.vectors @ data.vectors.T
    assert cosines[a, b] == pytest.approx(cosines.min())
    for values in (data.metadata.artists, data.metadata.labels):
        assert not {values[a], values[b]} & {values[c], values[d]}


def test_equal_tracks_have_no_distant_pair(data: ReportData):
    assert data.metadata is not None
    equal = np.ones((data.metadata.n, 4), np.float32) / 2
    assert far_pairs(TrackVectors("s", equal, data.metadata, []), 2) == []


def test_listeners_are_evenly_spaced_and_show_their_best_tracks(data: ReportData):
    assert [listener["name"] for listener in data.listeners] == [f"listener {i}" for i in (0, 2, 4, 6)]
    assert all([entry["rank"] for entry in listener["entries"]] == [1, 2, 3, 4, 5] for listener in data.listeners)


def test_recommendations_of_other_embeddings_are_named_as_outdated(chain, tmp_path: Path):
    shutil.copytree(chain[1].store, tmp_path / "store")
    store = Store(str(tmp_path / "store"))
    tracks = store.read(store.require("tracks"))
    old = DatasetRef("embeddings", "0123456789ab")
    publish_recommendations(store, old, tracks["track_id"].to_pylist())
    listeners, (sentence,) = example_listeners(
        store, PageTracks(CatalogColumns.of(tracks)), store.require("embeddings")
    )
    assert len(listeners) == 4
    assert sentence.startswith("recommendations@")
    assert "was made from embeddings@0123456789ab, not from embeddings@" in sentence
