"""Names that are not UTF-8: such files are embedded, found, played and listed like any other."""

import os
from pathlib import Path

import numpy as np
import pytest

from audioae.api import Library
from audioae.catalog.paths import displayed
from audioae.library.track_vectors import vectors_from_store
from audioae.pipeline.config import Workers
from audioae.pipeline.fingerprints import read_fingerprints
from audioae.playlists.builder import Playlists
from audioae.playlists.export import export_playlist
from audioae.playlists.latent_preview import preview_path
from audioae.playlists.options import PlaylistOptions
from audioae.report.excerpts import PageTracks
from audioae.screening.corrupt.features import make_versions, read_evidence
from audioae.screening.generated.catalog_artifacts import measure_artifacts
from audioae.screening.generated.screen import eligible
from audioae.settings import PipelineConfig
from audioae.similarity.search import Options
from audioae.store.dataset import Store
from tests.catalog.made import write
from tests.chain import copy_datasets, run_chain

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
NAMES = (b"caf\xe9.wav", b"\xd1\xee\xed\xe3/\xff.m4a", b"na\xefve.flac")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Nine tracks of noise with plain names and three in Latin-1 and Windows-1251."""
    root = tmp_path_factory.mktemp("names")
    for i in range(9):
        write(root / "music" / f"{i}.wav", 1000 * i)
    for i, name in enumerate(NAMES):
        path = os.fsencode(root / "music") + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.replace(write(root / f"made{os.path.splitext(name)[1].decode()}", 9000 + i), path)
    store = Store(str(root / "store"))
    copy_datasets(Store(str(GOLDEN)), store, "model")
    config = PipelineConfig.model_validate({"store": store.root, "catalog": {"source": str(root / "music")}})
    run_chain(config, store.require("model"))
    return Library(store)


def test_every_track_is_embedded(library: Library):
    rows = library.tracks.to_pylist()
    assert sorted(os.path.basename(row["path_bytes"]) for row in rows if row["path_bytes"]) == sorted(
        os.path.basename(name) for name in NAMES
    )
    assert len(library.index) == 12


def test_its_sound_finds_it(library: Library):
    for i, name in enumerate(NAMES):
        path = os.fsdecode(os.fsencode(Path(library.store.root).parent / "music") + b"/" + name)
        shown = displayed(path)
        (track,) = (row for row in library.tracks.to_pylist() if row["uri"] == shown)
        assert track["title"] == os.path.splitext(os.path.basename(shown))[0]
        by_path, by_name = library.similar(path), library.similar(shown)
        assert by_path.seeds[0].track_id == by_name.seeds[0].track_id == track["track_id"], i
        assert [n.track_id for n in by_path.neighbors] == [n.track_id for n in by_name.neighbors]
    plain = str(Path(library.store.root).parent / "music" / "0.wav")
    found = {n.track_id for n in library.similar(plain, 11, options=Options(keep_duplicates=True)).neighbors}
    assert {row["track_id"] for row in library.tracks.to_pylist() if row["path_bytes"]} <= found


def test_a_file_from_outside_with_such_a_name(library: Library, tmp_path: Path):
    outside = os.fsencode(tmp_path) + b"/\xe9.wav"
    os.replace(write(tmp_path / "made.wav", 77), outside)
    seed = library.similar(os.fsdecode(outside)).seeds[0]
    assert (seed.uri, seed.title, seed.path) == (f"{tmp_path}/\\xe9.wav", "\\xe9", os.fsdecode(outside))


def test_playlists_and_evaluations_open_it(library: Library):
    tracks = vectors_from_store(library.store, library.embeddings_ref)
    assert len(tracks.paths) == 12
    assert all(os.path.exists(path) for path in tracks.paths)
    ids = [row["track_id"] for row in library.tracks.to_pylist() if row["path_bytes"]]
    answer = Playlists(library).make(ids[:2], PlaylistOptions(n=4, artist_window=1, max_per_artist=None))
    written = export_playlist(answer.document, "m3u8").splitlines()
    assert sum(line.startswith("file:///") and "%" in line for line in written) >= 2
    assert len(preview_path(library, [library.find(track_id) for track_id in ids[:2]]).mels) == 7


def test_screening_and_the_report_open_it(library: Library):
    ids, paths, _ = eligible(library)
    assert len(ids) == 12
    assert all(os.path.exists(path) for path in paths)
    artifacts, omitted = measure_artifacts(library, ids, 1, Workers(), nothing)
    assert (len(artifacts), omitted) == (12, ())
    evidence = read_evidence(library)
    versions = make_versions(library, evidence, np.arange(12), 1, Workers(), nothing)
    assert versions.omitted == ()
    page = PageTracks(library.columns, ids.tolist())
    page.add_rows(range(12))
    excerpts, failed = page.read_excerpts(library, Workers(), nothing)
    assert (len(excerpts), failed) == (12, ())
    fingerprints = read_fingerprints(library.store, library.embeddings_ref, ids.tolist())
    assert len(fingerprints) == 12


def nothing(*_: object) -> None:
    pass
