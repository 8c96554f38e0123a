"""Vectors and metadata of a store: reading, sampling, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from audioae.errors import EvaluationError, SearchError, StoreError
from audioae.library.track_metadata import Target, make_metadata
from audioae.library.track_vectors import TrackVectors, take, vectors_from_store, with_targets
from audioae.spacing import evenly_spaced
from audioae.store.manifest import DatasetRef
from tests.library.made import IDS, UNIT, N, publish

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def tracks(tmp_path: Path) -> TrackVectors:
    return vectors_from_store(*publish(tmp_path), max_tracks=100)


def test_reads_vectors_and_metadata_of_a_store(tmp_path, tracks):
    assert tracks.name.startswith("embeddings@")
    assert tracks.metadata.ids.tolist() == IDS
    assert tracks.vectors == pytest.approx(UNIT, abs=1e-6)
    assert tracks.vectors.dtype == np.float32
    assert tracks.metadata.labels.tolist() == ["rock", "jazz"] * 6
    assert tracks.metadata.artists.tolist() == [f"x{i // 2}" for i in range(N)]
    assert tracks.metadata.albums.tolist() == [""] * N
    assert tracks.metadata.folds.tolist() == [str(i % 3) for i in range(N)]
    assert list(tracks.titles[:2]) == ["000", "Song 1"], "a track without a title is named after its file"
    assert list(tracks.paths) == [str(tmp_path / "audio" / f"{i}.wav") for i in IDS]
    assert tracks.omitted == ()


def test_samples_a_large_store_and_reports_it(tmp_path):
    some = vectors_from_store(*publish(tmp_path), max_tracks=5)
    assert some.metadata.ids.tolist() == ["000", "002", "004", "007", "009"]
    assert some.vectors == pytest.approx(UNIT[[0, 2, 4, 7, 9]], abs=1e-6)
    assert some.metadata.labels.tolist() == ["rock", "rock", "rock", "jazz", "jazz"]
    assert some.omitted == ("evaluated on 5 of 12 tracks, evenly spaced",)


def test_refuses_a_catalog_that_lacks_tracks(tmp_path):
    with pytest.raises(
        EvaluationError, match="2 tracks are missing from its catalog, such as 010, 011; run the pipeline again"
    ):
        vectors_from_store(*publish(tmp_path, cataloged=IDS[:10]), max_tracks=100)
    with pytest.raises(EvaluationError, match="got 1 tracks with an embedding, wanted at least 2"):
        vectors_from_store(*publish(tmp_path / "one", UNIT[:1], ids=IDS[:1]), max_tracks=100)
    store, _ = publish(tmp_path / "none")
    with pytest.raises(StoreError, match="no version embeddings@nothing"):
        vectors_from_store(store, DatasetRef("embeddings", "nothing"), max_tracks=100)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_refuses_bad_vectors_in_a_store(tmp_path, bad):
    vectors = UNIT.copy()
    vectors[3] = bad
    with pytest.raises(SearchError, match=r"embeddings (with NaN or infinity|of norm 0 to 0, wanted 1): '?003"):
        vectors_from_store(*publish(tmp_path, vectors), max_tracks=100)


def test_take_keeps_metadata_and_vectors_together(tracks):
    rows = np.array([7, 0, 3])
    some = take(with_targets(tracks, {"tempo": Target(np.arange(N) * 10.0, "truth.csv")}), rows)
    assert some.metadata.ids.tolist() == ["007", "000", "003"]
    assert some.vectors.tolist() == tracks.vectors[rows].tolist()
    assert some.metadata.labels.tolist() == ["jazz", "rock", "jazz"]
    assert some.metadata.folds.tolist() == ["1", "0", "0"]
    assert some.metadata.targets["tempo"].values.tolist() == [70.0, 0.0, 30.0]
    assert some.metadata.targets["tempo"].source == "truth.csv"
    assert list(some.titles) == ["Song 7", "000", "Song 3"]
    assert [Path(uri).stem for uri in some.paths] == ["007", "000", "003"]
    assert some.name == tracks.name
    without = take(TrackVectors("x", UNIT, make_metadata(IDS), IDS), rows)
    assert (len(without.paths), list(without.titles)) == (0, ["007", "000", "003"])
    with pytest.raises(EvaluationError, match="got 1 tracks"):
        take(tracks, rows[:1])


def test_with_targets_adds_to_existing_targets(tracks):
    tempo, energy = Target(np.arange(N) * 1.0, "a"), Target(np.arange(N) * 2.0, "b")
    both = with_targets(with_targets(tracks, {"tempo": tempo}), {"energy": energy})
    assert both.metadata.targets == {"tempo": tempo, "energy": energy}
    assert tracks.metadata.targets == {}
    with pytest.raises(EvaluationError, match="tempo: got 3 values for 12 tracks"):
        with_targets(tracks, {"tempo": Target(np.zeros(3), "a")})


def test_a_sample_reads_no_other_embeddings_and_is_that_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store, ref = publish(tmp_path)
    whole = vectors_from_store(store, ref)
    monkeypatch.setattr("audioae.library.track_vectors.read_embeddings", lambda *_: pytest.fail("all in memory"))
    some = vectors_from_store(store, ref, max_tracks=5)
    rows = [whole.metadata.ids.tolist().index(track_id) for track_id in some.metadata.ids.tolist()]
    assert rows == evenly_spaced(whole.metadata.n, 5).tolist()
    np.testing.assert_array_equal(some.vectors, whole.vectors[rows])
    assert list(some.titles) == [whole.titles[row] for row in rows]
    assert some.metadata.labels.tolist() == whole.metadata.labels[rows].tolist()
