"""Classical features: known sounds give known values, and they equal librosa's own from the waveform."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.features import FRAME_DESCRIPTORS, N_FEATURES, clip_features, estimate_targets
from audioae.audio.librosa_modules import librosa
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE

SECONDS = np.arange(CLIP_SAMPLES) / SAMPLE_RATE


def tone(hz: float, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * SECONDS)).astype(np.float32)


def noise(level: float = 0.1, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).normal(size=CLIP_SAMPLES)).astype(np.float32)


def clicks(bpm: float, seconds: float, sample_rate: int) -> np.ndarray:
    waveform = np.zeros(round(seconds * sample_rate), np.float32)
    burst = 0.3 * np.random.default_rng(1).normal(size=sample_rate // 40).astype(np.float32)
    for beat in np.arange(0, seconds - 0.1, 60 / bpm):
        start = round(beat * sample_rate)
        waveform[start : start + len(burst)] += burst
    return waveform


def means(features: np.ndarray) -> dict[str, np.ndarray]:
    sizes = list(FRAME_DESCRIPTORS.values())
    parts = np.split(features[: sum(sizes)], np.cumsum(sizes)[:-1])
    return dict(zip(FRAME_DESCRIPTORS, parts, strict=True))


def test_features_of_a_tone():
    features = clip_features(tone(880))
    mean = means(features)
    assert features.shape == (N_FEATURES,) == (93,)
    assert features.dtype == np.float32
    assert mean["chroma"].argmax() == 9  # A
    assert mean["centroid"][0] == pytest.approx(880, rel=0.02)
    assert mean["zero_crossing_rate"][0] == pytest.approx(2 * 880 / SAMPLE_RATE, rel=0.02)
    assert mean["rms"][0] == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    assert mean["flatness"][0] < 1e-3


def test_features_separate_noise_from_a_tone():
    of_noise, of_tone = means(clip_features(noise())), means(clip_features(tone(880)))
    for name in ("flatness", "centroid", "bandwidth", "rolloff", "zero_crossing_rate", "onset"):
        assert of_noise[name][0] > 2 * of_tone[name][0], name
    assert of_noise["contrast"].mean() < of_tone["contrast"].mean()


def test_features_equal_librosas_from_the_waveform():
    waveform = noise(0.05) + tone(330) * (np.sin(2 * np.pi * 2 * SECONDS) > 0)
    features = clip_features(waveform)
    plain = {
        "mfcc": librosa.feature.mfcc(y=waveform, sr=SAMPLE_RATE),
        "chroma": librosa.feature.chroma_stft(y=waveform, sr=SAMPLE_RATE),
        "contrast": librosa.feature.spectral_contrast(y=waveform, sr=SAMPLE_RATE),
        "centroid": librosa.feature.spectral_centroid(y=waveform, sr=SAMPLE_RATE),
        "bandwidth": librosa.feature.spectral_bandwidth(y=waveform, sr=SAMPLE_RATE),
        "rolloff": librosa.feature.spectral_rolloff(y=waveform, sr=SAMPLE_RATE),
        "flatness": librosa.feature.spectral_flatness(y=waveform),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(waveform),
        "rms": librosa.feature.rms(y=waveform),
        "onset": librosa.onset.onset_strength(y=waveform, sr=SAMPLE_RATE)[None],
    }
    mean = means(features)
    deviations = means(features[sum(FRAME_DESCRIPTORS.values()) :])
    for name, rows in plain.items():
        np.testing.assert_allclose(mean[name], rows.mean(axis=1), rtol=2e-3, atol=2e-3, err_msg=name)
        np.testing.assert_allclose(deviations[name], rows.std(axis=1), rtol=2e-3, atol=2e-3, err_msg=name)
    assert features[-1] == pytest.approx(librosa.feature.tempo(y=waveform, sr=SAMPLE_RATE)[0])


@pytest.mark.parametrize("waveform", [np.zeros(CLIP_SAMPLES, np.float32), np.ones(CLIP_SAMPLES, np.float32)])
def test_silence_and_dc_give_finite_features_without_warnings(waveform: np.ndarray):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(clip_features(waveform)).all()


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(1000, np.float32), "got 1,000 samples, wanted one clip of 66,150"),
        (np.zeros((2, CLIP_SAMPLES), np.float32), "wanted mono samples"),
        (np.full(CLIP_SAMPLES, np.nan, np.float32), "66,150 samples are NaN or infinite"),
    ],
)
def test_rejects_arrays_that_are_not_a_clip(waveform: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        clip_features(waveform)


@pytest.mark.parametrize(("bpm", "sample_rate"), [(90, 22_050), (120, 22_050), (140, 22_050), (120, 44_100)])
def test_tempo_of_clicks(bpm: int, sample_rate: int):
    targets = estimate_targets(clicks(bpm, 12, sample_rate), sample_rate)
    assert set(targets) == {"tempo", "energy"}
    assert targets["tempo"] == pytest.approx(bpm, rel=0.05)


def test_energy_follows_the_level_and_tempo_does_not():
    quiet = clicks(100, 12, SAMPLE_RATE)
    first, second = estimate_targets(quiet, SAMPLE_RATE), estimate_targets(2 * quiet, SAMPLE_RATE)
    assert second["energy"] - first["energy"] == pytest.approx(20 * np.log10(2), abs=1e-4)
    assert second["tempo"] == first["tempo"]
    assert estimate_targets(tone(441, 1.0), SAMPLE_RATE)["energy"] == pytest.approx(-3.0103, abs=1e-3)


def test_silence_has_no_tempo():
    targets = estimate_targets(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE)
    assert np.isnan(targets["tempo"])
    assert targets["energy"] == -100


@pytest.mark.parametrize("waveform", [np.zeros(0, np.float32), np.zeros((2, 9), np.float32), np.array([0.0, np.inf])])
def test_rejects_arrays_that_are_not_a_track(waveform: np.ndarray):
    with pytest.raises(ValueError, match="estimate_targets: "):
        estimate_targets(waveform, SAMPLE_RATE)


def test_real_recordings_give_finite_features(real_recordings: Path):
    paths = sorted((real_recordings / "esc10").rglob("*.ogg"))[::50]
    features = [
        clip_features(clip)
        for path in paths
        for clip in decode_track(path, ClipConfig(max_clips=1), DecodeConfig()).clips
    ]
    assert len(features) == len(paths) > 3
    assert np.isfinite(features).all()
