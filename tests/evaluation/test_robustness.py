"""Robustness of a store: rows for changed files and changed computation, and what is omitted."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from audioae.api import Library
from audioae.audio.extract import extract
from audioae.audio.perturbations import PERTURBATIONS
from audioae.audio.workers import imap_killable
from audioae.errors import EvaluationError, SearchError
from audioae.evaluation.excerpts import EXCERPTS
from audioae.evaluation.robustness import OWN, Clips, EmbeddingSpace, Robustness, embed_clips, measure_robustness
from audioae.library.catalog_columns import CatalogColumns
from audioae.metrics.metric import difference
from audioae.pipeline.config import Workers
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.pipeline.index import build_index, read_embeddings
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from tests.chain import copy_datasets

N = 4
NAMES = [perturbation.name for perturbation in PERTURBATIONS]
MACHINE = ["batch 1 against 256", "new mels against stored"]


def band_means(tracks: Sequence[Clips]) -> np.ndarray:
    """Baseline vectors: the mean of each mel band."""
    return np.stack([codes.mean(axis=(0, 2)) for codes, _ in tracks])


def band_space(library: Library, ids: list[str]) -> EmbeddingSpace:
    """The baseline, standardized over the catalog."""
    uris = dict(zip(library.tracks["track_id"].to_pylist(), library.tracks["uri"].to_pylist(), strict=True))
    config = library.mels_config
    tracks = [extract(uris[track_id], config.clips, config.decode) for track_id in ids]
    means = band_means([(track.codes, track.peak_db) for track in tracks])
    center, scale = means.mean(axis=0), means.std(axis=0)
    return EmbeddingSpace((means - center) / scale, lambda clips: (band_means(clips) - center) / scale)


@pytest.fixture(scope="module")
def ids(chain) -> list[str]:
    store, _ = chain
    return sorted(read_embeddings(store, store.require("embeddings")).track_ids.to_pylist())


@pytest.fixture(scope="module")
def measurement(chain, ids) -> tuple[Robustness, list[tuple[int, int]]]:
    library = Library(chain[0])
    seen: list[tuple[int, int]] = []
    spaces = {"bands": band_space(library, ids)}
    measured = measure_robustness(
        library, ids, spaces=spaces, n_tracks=N, workers=Workers(2), on_progress=lambda *at: seen.append(at)
    )
    return measured, seen


def rows_of(measurement: Robustness, name: str = OWN) -> dict[str, dict]:
    return {row["perturbation"]: row for row in measurement.rows if row["embedding"] == name}


def changed(library: Library, row: int, **values) -> Library:
    """Replace values in one row of the library's catalog."""
    rows = library.tracks.to_pylist()
    rows[row].update(values)
    library.columns = CatalogColumns.of(pa.Table.from_pylist(rows, schema=library.tracks.schema))
    return library


def test_every_perturbation_and_computation_has_a_row(measurement):
    measured, seen = measurement
    rows = rows_of(measured)
    assert list(rows) == [*NAMES, *EXCERPTS, *MACHINE]
    assert all(row["n"] == N for row in rows.values())
    assert all(row["cosine_min"] <= row["cosine_mean"] <= 1 for row in rows.values())
    assert all(row["cosine_low"] is row["mrr_low"] is None for row in rows.values())  # 4 tracks are too few
    assert seen == [(i + 1, N) for i in range(N)]


def test_gain_and_computation_do_not_change_embeddings(measurement):
    rows = rows_of(measurement[0])
    for name in (*MACHINE, "gain -6 dB", "gain +6 dB"):
        assert rows[name]["cosine_min"] >= 0.9999, name
        assert rows[name]["self_retrieval"] == 1.0
    assert rows["noise 20 dB"]["cosine_mean"] < rows["noise 30 dB"]["cosine_mean"] < rows["48 kHz"]["cosine_mean"]


def test_originals_rank_first_and_the_small_catalog_has_no_recall_at_100(measurement):
    rows = rows_of(measurement[0])
    for name in (*MACHINE, "gain -6 dB", "gain +6 dB"):
        assert rows[name]["mrr"] == rows[name]["recall_10"] == 1.0
    for row in rows.values():
        assert row["self_retrieval"] <= row["mrr"] <= row["recall_10"]
        assert row["recall_100"] is None


def test_measures_a_baseline_on_the_same_versions(measurement):
    measured, _ = measurement
    assert list(rows_of(measured, "bands")) == [*NAMES, *EXCERPTS]
    own, bands = measured.results[OWN], measured.results["bands"]
    gap = difference(own[0].cosine, bands[0].cosine)
    assert gap.value == pytest.approx(own[0].cosine.value - bands[0].cosine.value)
    assert not np.array_equal(own[0].cosine.columns, bands[0].cosine.columns)
    assert set(measured.same_track) == {OWN, "bands"}
    groups = {p.name: p.group for p in PERTURBATIONS}
    expected = [
        row["self_retrieval"]
        for row in rows_of(measured).values()
        if groups.get(row["perturbation"]) in ("codec", "gain", "eq", "noise")
    ]
    assert measured.same_track[OWN][0].value == pytest.approx(np.mean(expected))


def test_is_reproducible(chain, measurement):
    again = measure_robustness(Library(chain[0]), n_tracks=N)
    assert again.rows == [row for row in measurement[0].rows if row["embedding"] == OWN]
    assert again.omitted == measurement[0].omitted


def test_reports_a_missing_gpu(measurement):
    measured, _ = measurement
    if "CPU against GPU" in rows_of(measured):
        pytest.skip("this machine has a GPU")
    assert measured.omitted == ("CPU against GPU: this machine has no GPU",)


def test_a_gpu_adds_a_row(chain):
    """The CPU poses as a GPU: this tests the row, not the hardware."""
    library = Library(chain[0])
    real = library.embedder
    library.__dict__["embedder"] = SimpleNamespace(
        device=SimpleNamespace(type="cuda"), model=real.model, embed=real.embed, pool=real.pool
    )
    measured = measure_robustness(library, n_tracks=2)
    assert rows_of(measured)["CPU against GPU"]["cosine_min"] >= 0.9999
    assert measured.omitted == ()


def test_omits_and_counts_missing_and_changed_files(chain, ids):
    library = Library(chain[0])
    place = {track_id: i for i, track_id in enumerate(library.tracks["track_id"].to_pylist())}
    library = changed(library, place[ids[0]], uri="/nowhere/gone.flac")
    library = changed(library, place[ids[evenly_spaced(len(ids), N, ends=True)[-1]]], size_bytes=1)
    measured = measure_robustness(library, n_tracks=N)
    assert {row["n"] for row in measured.rows} == {N - 2}
    expected = "robustness: 2 of 4 tracks not measured, the first: /nowhere/gone.flac: unreadable"
    assert measured.omitted[0].startswith(expected)


def test_no_files_at_all_give_an_empty_result(chain):
    library = Library(chain[0])
    rows = [{**row, "uri": "/nowhere/" + row["track_id"]} for row in library.tracks.to_pylist()]
    library.columns = CatalogColumns.of(pa.Table.from_pylist(rows, schema=library.tracks.schema))
    measured = measure_robustness(library, n_tracks=3)
    assert measured.rows == []
    assert measured.same_track == {}
    assert "3 of 3 tracks" in measured.omitted[0]
    assert measured.omitted[1] == "batch, stored mels and CPU against GPU: no file could be read"


def test_reports_missing_stored_mels(chain, tmp_path):
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model")
    tracks, model = other.require("tracks"), other.require("model")
    pending = pending_embeddings(other, config.mels, tracks, model)
    compute_embeddings(other, config.mels, tracks, model, pending, Workers(2))
    embeddings = commit_embeddings(other, config.mels, tracks, model, max_reject_rate=0.0)
    build_index(other, config.index, embeddings)
    measured = measure_robustness(Library(other), n_tracks=2)
    assert list(rows_of(measured)) == [*NAMES, *EXCERPTS, MACHINE[0]]
    assert measured.omitted[0] == "stored mels: 2 of 2 tracks have no stored mels"


def test_embeddings_of_clips_equal_the_published_ones_for_any_batch_size(chain, ids):
    library = Library(chain[0])
    table = read_embeddings(chain[0], library.embeddings_ref)
    uris = {row["track_id"]: row["uri"] for row in library.tracks.to_pylist()}
    config = library.mels_config
    items = [(track_id, (uris[track_id], config.clips, config.decode)) for track_id in ids[:3]]
    clips = [(found.codes, found.peak_db) for _, found in imap_killable(extract, items, workers=1, timeout_s=60)]
    published = table.embeddings[table.rows_of(ids[:3])]
    for batch in (1, 5, 256):
        np.testing.assert_allclose(embed_clips(library.embedder, clips, batch), published, atol=1e-5)


def test_refuses_bad_input(chain, ids):
    library = Library(chain[0])
    with pytest.raises(EvaluationError, match="got n_tracks=1 of 24 embedded tracks, wanted at least 2"):
        measure_robustness(library, n_tracks=1)
    with pytest.raises(SearchError, match="no embedding of"):
        measure_robustness(library, [*ids, "unknown"])
    with pytest.raises(EvaluationError, match=r"bands: got vectors of shape \(3, 2\) for 24 tracks"):
        measure_robustness(library, ids, spaces={"bands": EmbeddingSpace(np.ones((3, 2)), band_means)})
