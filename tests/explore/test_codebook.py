"""The use of codes, over clips and tracks, against the model asked directly; and the mels of codes and places."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from audioae.audio import worker_pool
from audioae.audio.mel import decode_mel
from audioae.errors import ModelError, NoCodebookError, SearchError, StoreError, UnknownTrackError
from audioae.explore import codes as codes_module
from audioae.explore import decoding, latent
from audioae.explore.codebook import describe_code, usage
from audioae.explore.codes import NONE, Kind, open_codes, track_codes
from audioae.explore.decoding import make_audible
from audioae.explore.latent_facts import is_two_dimensional, lengths, place_of
from audioae.library.generation import Generation
from audioae.model.embedder import Embedder
from audioae.model.latent_space import assign_codes
from audioae.pipeline.clips import mel_codes
from tests.explore.made_latents import N_CLIPS, N_TRACKS, latent_store

STEP_DB = 80 / 255


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Generation, Embedder]:
    store, embedder = latent_store(tmp_path_factory.mktemp("codebook"))
    return Generation(store), embedder


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> tuple[Generation, Embedder]:
    store, embedder = latent_store(tmp_path_factory.mktemp("plane"), "vae_2d", mels=False)
    return Generation(store), embedder


def test_of_clips_each_book_counts_all_and_codes_are_the_models(made: tuple[Generation, Embedder]):
    library, embedder = made
    found = open_codes(library, "clips")
    table = library.store.read(library.store.require("mels"))
    codes, distances = assign_codes(embedder, embedder.embed(mel_codes(table))[0])
    assert found.counts.sum(axis=1).tolist() == [N_CLIPS] * 4
    assert np.array_equal(found.codes, codes)
    assert found.distances == pytest.approx(distances, rel=1e-3, abs=1e-3)
    assert found.clips is not None
    assert found.clips.select(["track_id", "start_s"]).equals(table.select(["track_id", "start_s"]))
    assert [np.bincount(book, minlength=8).tolist() for book in codes] == found.counts.tolist()


def test_of_tracks_codes_are_in_the_order_of_the_index(made: tuple[Generation, Embedder]):
    library, embedder = made
    table = library.store.read(library.embeddings_ref)
    vectors = np.stack(table["embedding"].to_numpy())
    codes, _ = assign_codes(embedder, vectors * lengths(table["spread"].to_numpy())[:, None])
    expected = dict(zip(table["track_id"].to_pylist(), codes.T.tolist(), strict=True))
    ids = library.index.read_ids().to_pylist()
    found = open_codes(library, "tracks")
    assert found.codes.T.tolist() == [expected[track_id] for track_id in ids]
    assert found.counts.sum(axis=1).tolist() == [N_TRACKS] * 4
    for book in range(4):
        assert track_codes(library, book).tolist() == found.codes[book].tolist()
    assert track_codes(library).dtype == np.uint16
    assert NONE not in found.codes


def test_usage_says_what_it_counts(made: tuple[Generation, Embedder]):
    expected: list[tuple[Kind, int]] = [("clips", N_CLIPS), ("tracks", N_TRACKS)]
    for of, n in expected:
        found = usage(made[0], of)
        assert (found["of"], found["n"], found["books"], found["codebook_size"]) == (of, n, 4, 8)
        assert [(row["book"], row["code"]) for row in found["codes"]] == [(b, c) for b in range(4) for c in range(8)]
        assert sum(row["n"] for row in found["codes"]) == 4 * n
        assert sum(row["share"] for row in found["codes"]) == pytest.approx(4)
    assert usage(made[0])["of"] == "clips"


def test_a_code_has_its_nearest_clips_and_its_mel(made: tuple[Generation, Embedder]):
    library, embedder = made
    codes, distances = assign_codes(
        embedder, embedder.embed(mel_codes(library.store.read(library.store.require("mels"))))[0]
    )
    code = int(np.bincount(codes[2]).argmax())
    found = describe_code(library, 2, code, k=5)
    having = np.flatnonzero(codes[2] == code)
    assert found["n"] == len(having)
    assert found["share"] == pytest.approx(len(having) / N_CLIPS)
    closest = sorted(distances[2][having])[:5]
    assert [clip["distance"] for clip in found["clips"]] == pytest.approx(closest, rel=1e-3, abs=1e-3)
    assert found["mel"].shape == found["mean_mel"].shape == (128, 130)
    first = found["clips"][0]
    assert codes[2][4 * int(first["track_id"][1:]) + first["clip"]] == code
    assert first["start_s"] == 5.0 + 10 * first["clip"]
    of_tracks = describe_code(library, 2, code, of="tracks")["clips"]
    assert {row["clip"] for row in of_tracks} <= {None}
    assert of_tracks[0]["track_id"] in library.index.read_ids().to_pylist()


def test_codes_are_made_once(made: tuple[Generation, Embedder], monkeypatch: pytest.MonkeyPatch):
    expected = open_codes(made[0], "clips").counts.tolist()
    monkeypatch.setattr(codes_module, "call_killable", None)
    assert open_codes(made[0], "clips").counts.tolist() == expected


def test_without_the_mels_of_the_training_tracks_are_counted(tmp_path: Path):
    store, _ = latent_store(tmp_path, mels=False)
    assert usage(Generation(store))["of"] == "tracks"
    with pytest.raises(NoCodebookError, match="mels of its training are not stored; ask for `of` tracks"):
        usage(Generation(store), of="clips")


def test_other_models_and_numbers_are_refused(made: tuple[Generation, Embedder], plane: tuple[Generation, Embedder]):
    with pytest.raises(NoCodebookError, match="has no codebook; train a model with a vq bottleneck"):
        usage(plane[0])
    with pytest.raises(NoCodebookError, match=r"got book 4, code 0, but model@.* has 4 books of 8 codes; count from 0"):
        track_codes(made[0], 4)
    with pytest.raises(NoCodebookError, match="got book 0, code 8"):
        describe_code(made[0], 0, 8)
    with pytest.raises(ModelError, match=r"has no latent space of two dimensions.*model: vae_2d"):
        latent.grid(made[0])


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store, _ = latent_store(tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StoreError, match=r"cannot be written.*set AUDIOAE_CACHE"):
        open_codes(Generation(store), "tracks")


def test_the_place_of_a_track_has_the_length_of_the_mean_of_its_clips(made: tuple[Generation, Embedder]):
    library, embedder = made
    table = library.store.read(library.store.require("mels"))
    clips = embedder.embed(mel_codes(table.filter(pc.equal(table["track_id"], "t03"))))[0]
    place, mean = place_of(library, "t03"), clips.mean(axis=0)
    assert place / np.linalg.norm(place) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert np.linalg.norm(place) == pytest.approx(np.linalg.norm(mean), rel=0.25)
    with pytest.raises(UnknownTrackError, match="no track_id 'x'"):
        place_of(library, "x")


@pytest.mark.parametrize("way", ["spherical", "linear"])
def test_a_way_begins_and_ends_at_its_tracks(made: tuple[Generation, Embedder], way: latent.Way):
    library, embedder = made
    ends = [place_of(library, "t01"), place_of(library, "t02")]
    places = latent.between(library, "t01", "t02", 5, way)
    assert places.values == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert places.places[[0, -1]] == pytest.approx(np.stack(ends), abs=1e-4)
    middle = np.linalg.norm(places.places[2])
    linear = np.linalg.norm((ends[0] + ends[1]) / 2)
    expected = linear if way == "linear" else (np.linalg.norm(ends[0]) + np.linalg.norm(ends[1])) / 2
    assert middle == pytest.approx(expected, rel=1e-4)
    mels = places.decode(library)
    assert np.abs(decode_mel(mels) - embedder.decode(places.places)).max() <= 1.01 * STEP_DB


def test_a_sweep_sets_one_dimension(made: tuple[Generation, Embedder]):
    library, embedder = made
    place = place_of(library, "t05")
    found = latent.sweep(library, "t05", 7, np.array([-2.0, 0.0, 3.5]))
    assert found.places[:, 7].tolist() == [-2.0, 0.0, 3.5]
    others = np.arange(128) != 7
    assert np.array_equal(found.places[:, others], np.tile(place[others], (3, 1)))
    assert found.track_value == pytest.approx(float(place[7]))
    mels = found.decode(library)
    assert np.abs(decode_mel(mels) - embedder.decode(found.places)).max() <= 1.01 * STEP_DB


def test_the_range_of_a_sweep_is_that_of_the_catalog(plane: tuple[Generation, Embedder]):
    library, _ = plane
    table = library.store.read(library.embeddings_ref)
    places = np.stack(table["embedding"].to_numpy()) * lengths(table["spread"].to_numpy())[:, None]
    found, (low, high) = latent.sweep(library, "t05", 1, 4), np.percentile(places[:, 1], [1, 99]).tolist()
    assert found.values == pytest.approx(np.linspace(low, high, 4), abs=1e-4)


def test_the_corners_of_the_grid_are_the_decoders(plane: tuple[Generation, Embedder]):
    library, embedder = plane
    assert is_two_dimensional(library)
    found = latent.grid(library)
    assert (found.places.shape, found.columns) == ((225, 128), 15)
    mels = found.decode(library)
    for place, corner in ((0, (-1, 1)), (14, (1, 1)), (210, (-1, -1)), (224, (1, -1))):
        z = np.zeros((1, 128), np.float32)
        z[0, :2] = 1.6448536 * np.array(corner)
        norm = embedder.model.embedding_norm
        expected = embedder.decode((z - norm.mean.numpy()) / norm.std.numpy())[0]
        assert np.abs(decode_mel(mels[place]) - expected).max() <= 1.01 * STEP_DB


def test_a_decoder_that_takes_too_long_is_killed(made: tuple[Generation, Embedder], monkeypatch: pytest.MonkeyPatch):
    worker_pool.close_workers()
    latent.of_track(made[0], "t01").decode(made[0])
    (worker,) = worker_pool.idle
    monkeypatch.setattr(decoding, "TIMEOUT_S", 1e-3)
    with pytest.raises(ModelError, match=r"model@\w+ could not decode: timeout"):
        decoding.decode_places(made[0], np.zeros((2_000, 128), np.float32))
    assert worker.process.poll() is not None
    assert worker not in worker_pool.idle


def test_a_mel_is_three_seconds_of_mp3():
    sound = make_audible(np.random.default_rng(0).integers(0, 256, (128, 130)).astype(np.uint8))
    assert 5_000 < len(sound) < 20_000
    assert sound[:2].hex() == "fff3"


def test_a_track_without_an_embedding_has_no_place(made: tuple[Generation, Embedder], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Generation, "embedding_row", lambda *_: None)
    with pytest.raises(SearchError, match="has no embedding"):
        place_of(made[0], "t01")
