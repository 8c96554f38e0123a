"""`log_mel` against librosa 0.11, clip by clip, over the top 80 dB of each clip."""

import csv
from pathlib import Path

import numpy as np
import pytest

from audioae.audio.librosa_modules import librosa
from audioae.audio.mel import log_mel, mel_bank
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE

TOLERANCE_DB = 1e-3
SECONDS = np.arange(CLIP_SAMPLES) / SAMPLE_RATE


def tone(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * SECONDS + 0.3)


def noise(level: float) -> np.ndarray:
    return level * np.random.default_rng(0).normal(size=CLIP_SAMPLES)


CLIPS = {
    "silence": np.zeros(CLIP_SAMPLES),
    "constant": np.ones(CLIP_SAMPLES),
    "noise": noise(0.1),
    "noise near the floor": noise(1e-5),
    "one 16-bit step": np.sign(tone(300)) / 32768,
    "full-scale square": np.sign(tone(220)),
    "full-scale square, high": np.sign(tone(3001)),
    "clicks": np.where(np.arange(CLIP_SAMPLES) % 5000 == 77, 1.0, 0.0),
    "click at the first sample": np.where(np.arange(CLIP_SAMPLES) == 0, 1.0, 0.0),
    "click at the last sample": np.where(np.arange(CLIP_SAMPLES) == CLIP_SAMPLES - 1, 1.0, 0.0),
    "sound in the last 0.1 s": tone(50) * (SECONDS > 2.9),
    "loud frame beside silence": noise(0.3) * (np.arange(CLIP_SAMPLES) < 512),
    "tone over a faint floor": 0.9 * tone(150) + noise(1e-4),
    "slow chirp": np.sin(2 * np.pi * (20 * SECONDS + 50 * SECONDS**2)),
    "fast chirp": np.sin(2 * np.pi * (20 * SECONDS + 1800 * SECONDS**2)),
    **{f"{hz} Hz": tone(hz) for hz in (22, 80, 150, 300, 1000, 5003, 11000)},
}


def librosa_mel(waveform: np.ndarray) -> np.ndarray:
    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=22050,
        n_fft=2048,
        hop_length=512,
        win_length=2048,
        window="hann",
        center=True,
        pad_mode="constant",
        power=2.0,
        n_mels=128,
        fmin=0.0,
        fmax=11025.0,
        htk=False,
        norm="slaney",
    )
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)


def worst_db(mel: np.ndarray, reference: np.ndarray) -> float:
    return float(np.abs(mel - reference)[reference >= reference.max() - 80].max())


@pytest.fixture(scope="module")
def synthetic() -> tuple[np.ndarray, list[np.ndarray]]:
    waveforms = np.stack(list(CLIPS.values())).astype(np.float32)
    return waveforms, [librosa_mel(waveform) for waveform in waveforms]


def test_the_filter_bank_equals_librosas():
    reference = librosa.filters.mel(
        sr=22050, n_fft=2048, n_mels=128, fmin=0.0, fmax=11025.0, htk=False, norm="slaney", dtype=np.float64
    )
    np.testing.assert_allclose(mel_bank(), reference, rtol=0, atol=1e-14)
    assert np.count_nonzero(mel_bank()) == 2018


def test_synthetic_clips(synthetic):
    waveforms, references = synthetic
    for name, mel, reference in zip(CLIPS, log_mel(waveforms), references, strict=True):
        assert worst_db(mel, reference) < TOLERANCE_DB, name


def test_torchaudio_on_a_device_gives_the_same(synthetic):
    waveforms, references = synthetic
    for name, mel, reference in zip(CLIPS, log_mel(waveforms, device="cpu:0"), references, strict=True):
        assert worst_db(mel, reference) < TOLERANCE_DB, name


def test_real_clips(real_recordings: Path):
    with (
        open(real_recordings / "esc10.csv", newline="") as esc10,
        open(real_recordings / "music.csv", newline="") as music,
    ):
        paths = [row["path"] for row in (*list(csv.DictReader(esc10))[::20], *csv.DictReader(music))]
    for path in paths:
        waveform, _ = librosa.load(real_recordings / path, sr=SAMPLE_RATE, duration=3.0)
        waveform = librosa.util.fix_length(waveform, size=CLIP_SAMPLES)
        assert worst_db(log_mel(waveform[None])[0], librosa_mel(waveform)) < TOLERANCE_DB, path
