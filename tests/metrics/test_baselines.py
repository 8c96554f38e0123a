"""Baselines against plain librosa calls; order of clips, scaling, memory and bad input."""

import tracemalloc

import numpy as np
import pytest

from audioae.audio.librosa_modules import librosa
from audioae.audio.mel import encode_mel, log_mel
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import EvaluationError
from audioae.library.track_metadata import check_vectors, make_metadata
from audioae.metrics import baselines as module
from audioae.metrics import retrieval
from audioae.metrics.baselines import baselines, clip_mfcc, mfcc_statistics

NAMES = (
    "MFCC",
    "MFCC, centered",
    "librosa features",
    "PCA of mels",
    "PCA of mel statistics",
    "random convolutions",
)
SIZES = (80, 80, 7, 128, 40, 40)
N_TRACKS, N_CLIPS, N_STYLES = 40, 4, 4


def waveforms(n: int, seed: int = 0) -> np.ndarray:
    """Low-passed noise with a tremolo, at levels from -40 to -6 dB."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(CLIP_SAMPLES) / SAMPLE_RATE
    spectra = np.fft.rfft(rng.normal(size=(n, CLIP_SAMPLES)))
    spectra *= np.exp(-np.arange(spectra.shape[1]) / rng.uniform(500, 20_000, (n, 1)))
    tremolo = 1.01 + np.cos(2 * np.pi * rng.uniform(1, 6, (n, 1)) * seconds)
    sound = np.fft.irfft(spectra, CLIP_SAMPLES) * tremolo
    level = 10 ** (rng.uniform(-40, -6, (n, 1)) / 20)
    return (sound / np.abs(sound).max(axis=1, keepdims=True) * level).astype(np.float32)


def make_catalog(n_tracks: int = N_TRACKS, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Codes, peaks, tracks and styles: a style is a spectrum and a tempo, which vary a little from track to track."""
    rng = np.random.default_rng(seed)
    style = np.arange(n_tracks) % N_STYLES
    styles = np.random.default_rng(1)
    spectra = styles.normal(-40, 8, (N_STYLES, 16)).repeat(8, axis=1)
    periods = styles.uniform(6, 40, N_STYLES)
    track = np.arange(n_tracks).repeat(N_CLIPS)
    own = rng.normal(0, 4, (n_tracks, 16)).repeat(8, axis=1)
    phase = rng.uniform(0, 40, (len(track), 1, 1))
    beat = 8 * np.cos(2 * np.pi * (np.arange(130) + phase) / periods[style[track]][:, None, None])
    db = (spectra[style] + own)[track][:, :, None] + beat + rng.normal(0, 3, (len(track), 128, 130))
    codes, _ = encode_mel(db)
    return codes, rng.normal(0, 6, len(track)).astype(np.float32), track.astype(np.int64), style


@pytest.fixture(scope="module")
def catalog() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return make_catalog()


@pytest.fixture(scope="module")
def vectors_by_name(catalog) -> dict[str, np.ndarray]:
    codes, peak_db, track, _ = catalog
    features = np.random.default_rng(2).normal(size=(len(track), 7))
    return baselines(codes, peak_db, track, features=features)


def test_mfcc_equals_librosa_up_to_quantization():
    """A code is a step of 0.314 dB: an error of 0.09 dB RMS, which an orthonormal transform preserves."""
    sounds = waveforms(6)
    mfcc = clip_mfcc(*encode_mel(log_mel(sounds)))
    reference = np.stack([librosa.feature.mfcc(y=sound, sr=SAMPLE_RATE, n_mfcc=20) for sound in sounds])
    assert mfcc.shape == reference.shape == (6, 20, 130)
    assert np.sqrt(np.mean((mfcc - reference) ** 2)) < 0.1
    assert np.abs(mfcc - reference).max() < 0.6


def test_mfcc_statistics_cover_all_frames_of_a_track():
    sounds = waveforms(5)
    track = np.array([0, 1, 0, 1, 1])
    vectors_by_name = mfcc_statistics(*encode_mel(log_mel(sounds)), track)
    mfcc = [librosa.feature.mfcc(y=sound, sr=SAMPLE_RATE, n_mfcc=20) for sound in sounds]
    deltas = [librosa.feature.delta(one) for one in mfcc]
    for i in range(2):
        frames, slopes = (np.hstack([rows[clip] for clip in np.flatnonzero(track == i)]) for rows in (mfcc, deltas))
        moments = [frames.mean(axis=1), frames.std(axis=1), slopes.mean(axis=1), slopes.std(axis=1)]
        np.testing.assert_allclose(vectors_by_name[i], np.concatenate(moments), atol=0.05)


def test_every_baseline_has_one_centered_vector_per_track(vectors_by_name):
    assert tuple(vectors_by_name) == NAMES
    for (name, vectors), size in zip(vectors_by_name.items(), SIZES, strict=True):
        assert vectors.shape == (N_TRACKS, size), name
        assert vectors.dtype == np.float32, name
        assert np.isfinite(vectors).all(), name
        assert np.abs(vectors.mean(axis=0)).max() < 1e-3 * np.abs(vectors).max(), name
    for name in ("MFCC", "librosa features"):
        np.testing.assert_allclose(vectors_by_name[name].std(axis=0), 1, rtol=1e-3)


def test_baselines_retrieve_tracks_of_the_same_style(vectors_by_name, catalog):
    labels = [f"style {i}" for i in catalog[3]]
    metadata = make_metadata([str(i) for i in range(N_TRACKS)], labels=labels)
    for name, vectors in vectors_by_name.items():
        (average, *_) = retrieval.measure(check_vectors(vectors, metadata.ids, name), metadata).metrics
        if name == "librosa features":  # random in this test
            assert average.value < 0.45
        else:
            assert average.value > 0.7, name


def test_order_of_clips_does_not_matter(vectors_by_name, catalog):
    codes, peak_db, track, _ = catalog
    order = np.random.default_rng(3).permutation(len(track))
    shuffled = baselines(codes[order], peak_db[order], track[order])
    for name, vectors in shuffled.items():
        cosines = [check_vectors(v, np.arange(N_TRACKS), name) for v in (vectors, vectors_by_name[name])]
        np.testing.assert_allclose(cosines[0] @ cosines[0].T, cosines[1] @ cosines[1].T, atol=2e-3, err_msg=name)


def test_accepts_features_by_clip_or_by_track(vectors_by_name, catalog):
    codes, peak_db, track, _ = catalog
    by_clip = np.random.default_rng(2).normal(size=(len(track), 7))
    by_track = by_clip.reshape(N_TRACKS, N_CLIPS, 7).mean(axis=1)
    again = baselines(codes, peak_db, track, features=by_track)
    np.testing.assert_allclose(again["librosa features"], vectors_by_name["librosa features"], atol=1e-5)
    for name in set(NAMES) - {"librosa features"}:
        np.testing.assert_array_equal(again[name], vectors_by_name[name])


def test_only_mfcc_depends_on_the_level(vectors_by_name, catalog):
    codes, peak_db, track, _ = catalog
    louder = baselines(codes, peak_db + 10 * (track == 3), track)
    for name, vectors in louder.items():
        assert np.allclose(vectors, vectors_by_name[name]) == (not name.startswith("MFCC")), name


def test_constant_dimensions_become_zero(catalog):
    codes, peak_db, track, _ = catalog
    features = np.random.default_rng(2).normal(size=(len(track), 7))
    features[:, 4] = 5.0
    vectors = baselines(codes, peak_db, track, features=features)["librosa features"]
    assert (vectors[:, 4] == 0).all()


def test_memory_does_not_grow_with_the_number_of_clips(catalog, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "BLOCK", 8)
    codes, peak_db, track, _ = catalog
    peaks = []
    for n in (32, 160):
        tracemalloc.start()
        mfcc_statistics(codes[:n], peak_db[:n], track[:n])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": np.zeros((8, 128, 130), np.float32)}, r"got codes \(8, 128, 130\) float32"),
        ({"codes": np.zeros((0, 128, 130), np.uint8)}, "got 0 clips, 8 levels"),
        ({"track": np.zeros(7, np.int64)}, "8 clips, 8 levels, 7 track rows"),
        ({"track": np.array([0, 0, 0, 0, 2, 2, 2, 2])}, "1 of 3 tracks have no clip, the first is row 1"),
        ({"track": np.array([-1, 0, 0, 0, 1, 1, 1, 1])}, "got track -1"),
        ({"features": np.zeros((5, 3))}, "a row for each of 8 clips or 2 tracks"),
        ({"features": np.full((8, 3), np.nan)}, "features of 8 rows contain NaN or infinity, the first is 0"),
    ],
)
def test_refuses_input_that_does_not_match(change, message: str):
    good = {
        "codes": np.zeros((8, 128, 130), np.uint8),
        "peak_db": np.zeros(8, np.float32),
        "track": np.array([0, 0, 0, 0, 1, 1, 1, 1]),
        "features": np.zeros((8, 3)),
    }
    arguments = good | change
    with pytest.raises(EvaluationError, match=message):
        baselines(arguments["codes"], arguments["peak_db"], arguments["track"], features=arguments["features"])
