"""The certificate of a store: rows for what happens to files and to the machine, and what could not be had."""

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
from audioae.evaluation.robustness import OWN, Clips, EmbeddingSpace, Robustness, embed_clips, measure_robustness
from audioae.metrics.metric import difference
from audioae.pipeline.config import Workers
from audioae.pipeline.embed import commit_embeddings, compute_embeddings, pending_embeddings
from audioae.pipeline.index import build_index, read_embeddings
from audioae.store.dataset import Store
from tests.pipeline.test_embed import copy_datasets

N = 4
NAMES = [perturbation.name for perturbation in PERTURBATIONS]
MACHINE = ["batch 1 against 256", "mels decoded again against stored"]


def band_means(tracks: Sequence[Clips]) -> np.ndarray:
    """A baseline: the mean of each mel band."""
    return np.stack([codes.mean(axis=(0, 2)) for codes, _ in tracks])


def band_space(library: Library, ids: list[str]) -> EmbeddingSpace:
    """The baseline, z-scored by its statistics over the catalog."""
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
def certificate(chain, ids) -> tuple[Robustness, list[tuple[int, int]]]:
    library = Library(chain[0])
    seen: list[tuple[int, int]] = []
    spaces = {"bands": band_space(library, ids)}
    made = measure_robustness(
        library, ids, spaces=spaces, n_tracks=N, workers=Workers(2), on_progress=lambda *at: seen.append(at)
    )
    return made, seen


def rows_of(certificate: Robustness, name: str = OWN) -> dict[str, dict]:
    return {row["perturbation"]: row for row in certificate.rows if row["embedding"] == name}


def changed(library: Library, row: int, **values) -> Library:
    """The library with another value in some row of its tracks."""
    rows = library.tracks.to_pylist()
    rows[row].update(values)
    library.__dict__["tracks"] = pa.Table.from_pylist(rows, schema=library.tracks.schema)
    return library


def test_every_perturbation_and_the_machine_have_a_row(certificate):
    made, seen = certificate
    rows = rows_of(made)
    assert list(rows) == [*NAMES, *MACHINE]
    assert all(row["n"] == N for row in rows.values())
    assert all(row["cosine_min"] <= row["cosine_mean"] <= 1 for row in rows.values())
    assert all(row["cosine_low"] <= row["cosine_mean"] <= row["cosine_high"] for row in rows.values())
    assert seen == [(i + 1, N) for i in range(N)]


def test_what_must_change_nothing_changes_nothing(certificate):
    rows = rows_of(certificate[0])
    for name in (*MACHINE, "gain -6 dB", "gain +6 dB"):
        assert rows[name]["cosine_min"] >= 0.9999, name
        assert rows[name]["self_retrieval"] == 1.0
    assert rows["noise 20 dB"]["cosine_mean"] < rows["noise 30 dB"]["cosine_mean"] < rows["48 kHz"]["cosine_mean"]


def test_a_baseline_goes_through_the_same_versions(certificate):
    made, _ = certificate
    assert list(rows_of(made, "bands")) == NAMES
    own, bands = made.stabilities[OWN], made.stabilities["bands"]
    gap = difference(own[0].cosine, bands[0].cosine)
    assert gap.value == pytest.approx(own[0].cosine.value - bands[0].cosine.value)
    assert not np.array_equal(own[0].cosine.columns, bands[0].cosine.columns)
    assert set(made.same_track) == {OWN, "bands"}
    groups = {p.name: p.group for p in PERTURBATIONS}
    meant = [
        row["self_retrieval"]
        for row in rows_of(made).values()
        if groups.get(row["perturbation"]) in ("codec", "gain", "eq", "noise")
    ]
    assert made.same_track[OWN].value == pytest.approx(np.mean(meant))


def test_the_same_store_gives_the_same_certificate(chain, certificate):
    again = measure_robustness(Library(chain[0]), n_tracks=N)
    assert again.rows == [row for row in certificate[0].rows if row["embedding"] == OWN]
    assert again.omitted == certificate[0].omitted


def test_without_a_gpu_that_row_is_left_out_and_said(certificate):
    made, _ = certificate
    if "CPU against GPU" in rows_of(made):
        pytest.skip("there is a GPU here")
    assert made.omitted == ("CPU against GPU: the model runs on the CPU here",)


def test_with_a_gpu_there_is_a_row(chain):
    """Stood in for by the CPU: what is tested is the row, not the hardware."""
    library = Library(chain[0])
    real = library.embedder
    library.__dict__["embedder"] = SimpleNamespace(
        device=SimpleNamespace(type="cuda"), model=real.model, embed=real.embed
    )
    made = measure_robustness(library, n_tracks=2)
    assert rows_of(made)["CPU against GPU"]["cosine_min"] >= 0.9999
    assert made.omitted == ()


def test_a_file_that_is_gone_or_another_is_left_out_and_counted(chain, ids):
    library = Library(chain[0])
    place = {track_id: i for i, track_id in enumerate(library.tracks["track_id"].to_pylist())}
    library = changed(library, place[ids[0]], uri="/nowhere/gone.flac")
    library = changed(library, place[ids[-1]], size_bytes=1)
    made = measure_robustness(library, n_tracks=N)
    assert {row["n"] for row in made.rows} == {N - 2}
    assert made.omitted[0].startswith("stability: 2 of 4 tracks left out, the first: /nowhere/gone.flac: unreadable")


def test_all_files_gone_is_an_empty_certificate_and_no_crash(chain):
    library = Library(chain[0])
    rows = [{**row, "uri": "/nowhere/" + row["track_id"]} for row in library.tracks.to_pylist()]
    library.__dict__["tracks"] = pa.Table.from_pylist(rows, schema=library.tracks.schema)
    made = measure_robustness(library, n_tracks=3)
    assert made.rows == []
    assert made.same_track == {}
    assert "3 of 3 tracks" in made.omitted[0]
    assert made.omitted[1] == "batch, stored mels and CPU against GPU: no file could be read"


def test_a_store_without_stored_mels_says_so(chain, tmp_path):
    store, config = chain
    other = Store(str(tmp_path / "store"))
    copy_datasets(store, other, "tracks", "model")
    tracks, model = other.require("tracks"), other.require("model")
    pending = pending_embeddings(other, config.mels, tracks, model)
    compute_embeddings(other, config.mels, tracks, model, pending, Workers(2))
    embeddings = commit_embeddings(other, config.mels, tracks, model, max_reject_rate=0.0)
    build_index(other, config.index, embeddings)
    made = measure_robustness(Library(other), n_tracks=2)
    assert list(rows_of(made)) == [*NAMES, MACHINE[0]]
    assert made.omitted[0] == "stored mels: 2 of 2 tracks have none stored"


def test_embedding_of_clips_is_the_published_one_whatever_the_batch(chain, ids):
    library = Library(chain[0])
    table = read_embeddings(chain[0], library.embeddings_ref)
    uris = {row["track_id"]: row["uri"] for row in library.tracks.to_pylist()}
    config = library.mels_config
    items = [(track_id, (uris[track_id], config.clips, config.decode)) for track_id in ids[:3]]
    clips = [(found.codes, found.peak_db) for _, found in imap_killable(extract, items, workers=1, timeout_s=60)]
    published = table.embeddings[table.rows_of(ids[:3])]
    for batch in (1, 5, 256):
        np.testing.assert_allclose(embed_clips(library.embedder, clips, batch), published, atol=1e-5)


def test_bad_input_is_refused_before_any_work(chain, ids):
    library = Library(chain[0])
    with pytest.raises(EvaluationError, match="got n_tracks=1 of 24 embedded tracks, wanted at least 2"):
        measure_robustness(library, n_tracks=1)
    with pytest.raises(SearchError, match="no embedding of"):
        measure_robustness(library, [*ids, "unknown"])
    with pytest.raises(EvaluationError, match=r"bands: got vectors of shape \(3, 2\) for 24 tracks"):
        measure_robustness(library, ids, spaces={"bands": EmbeddingSpace(np.ones((3, 2)), band_means)})
