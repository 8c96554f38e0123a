"""A catalog of sounds below a third of a second: every stage and page takes them as it takes songs."""

from pathlib import Path

import numpy as np
import pytest

from audioae.api import Library
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.evaluation.track_audio import analyze_track
from audioae.pipeline.accounting import account_store
from audioae.pipeline.config import Workers
from audioae.pipeline.fingerprints import read_fingerprints
from audioae.playlists.edges import analyze_edges
from audioae.report.excerpts import PageTracks
from audioae.report.explain import explain_track
from audioae.screening.corrupt.features import make_versions, read_evidence
from audioae.screening.generated.artifacts import EXTENT
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.screen import eligible
from audioae.settings import PipelineConfig
from audioae.similarity.search import Options
from audioae.store.dataset import Store
from tests.audio.made import music, write
from tests.chain import copy_datasets, run_chain

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
KINDS, LENGTHS_S = ("wav", "flac", "mp3", "ogg", "opus"), (0.05, 0.06, 0.1, 0.3)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("short")
    (root / "music").mkdir()
    for i in range(10):
        rate = 48_000 if KINDS[i % 5] == "opus" else 44_100
        write(root / "music" / f"{i}.{KINDS[i % 5]}", music(LENGTHS_S[i % 4], rate, seed=i), rate)
    store = Store(str(root / "store"))
    copy_datasets(Store(str(GOLDEN)), store, "model")
    config = PipelineConfig.model_validate({"store": store.root, "catalog": {"source": str(root / "music")}})
    run_chain(config, store.require("model"))
    return Library(store)


def test_every_sound_is_embedded_and_said_to_be_repeated(library: Library):
    sums = account_store(library.store)
    assert (sums.embedded, sums.padded, sums.rejected) == (10, 10, {})
    track_id = library.tracks["track_id"][0].as_py()
    sections = explain_track(library, track_id)
    assert sections["embedding"]["padded"] is True
    assert len(library.similar(track_id, options=Options(keep_duplicates=True)).neighbors) == 9


def test_a_file_from_outside_finds_itself(library: Library, tmp_path: Path):
    path = write(tmp_path / "outside.wav", music(0.3, seed=3))
    outside = library.embed(path)
    assert (outside.n_clips, outside.padded) == (1, True)
    (own,) = (row["track_id"] for row in library.tracks.to_pylist() if row["title"] == "3")
    assert library.similar(str(path)).neighbors[0].track_id == own


def test_checks_and_the_report_read_it(library: Library):
    ids, paths, _ = eligible(library)
    artifacts, omitted = measure_artifacts(library, ids, 1, Workers(), nothing)
    assert omitted == ()
    assert (artifacts[:, 0] == 0).all()  # seconds: there is no section of 3 s
    assert np.isnan(artifacts[:, len(EXTENT) :]).all()
    evidence = read_evidence(library)
    assert make_versions(library, evidence, np.arange(2), 1, Workers(), nothing).omitted == ()
    page = PageTracks(library.columns, ids.tolist())
    page.add_rows(range(3))
    excerpts, failed = page.read_excerpts(library, Workers(), nothing)
    assert (len(excerpts), failed) == (3, ())
    assert len(read_fingerprints(library.store, library.embeddings_ref, ids.tolist())) == 10
    assert analyze_edges(paths[0], ClipConfig(), DecodeConfig()).edges.shape == (2, 128, 130)
    analyzed = analyze_track(paths[0], ClipConfig(), DecodeConfig(), estimate=True, preview=True)
    assert np.isfinite(analyzed.features).all()
    assert analyzed.audio


def nothing(*_: object) -> None:
    pass
