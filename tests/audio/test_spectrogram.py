"""A drawn spectrogram is the product's mel of that span, the right way up."""

import io
from pathlib import Path

import numpy as np
import pytest

from audioae.audio.config import ClipConfig
from audioae.audio.spectrogram import draw_spectrogram, mel_of
from audioae.constants import HOP_LENGTH, N_FFT, N_MELS, SAMPLE_RATE
from tests.audio.test_excerpt import tone, write


def picture(path: str, start_s: float, seconds: float, width: int = 200, height: int = 128) -> np.ndarray:
    from PIL import Image

    image = Image.open(io.BytesIO(draw_spectrogram(path, start_s, seconds, ClipConfig(), width, height).content))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.asarray(image)


@pytest.mark.parametrize("seconds", [0.1, 2.9, 3.0, 7.3])
def test_the_mel_of_any_length_is_one_stft_without_seams(seconds: float):
    from audioae.audio.librosa_modules import librosa

    waveform = np.random.default_rng(1).uniform(-1, 1, round(seconds * SAMPLE_RATE)).astype(np.float32)
    settings = {"n_fft": N_FFT, "hop_length": HOP_LENGTH, "n_mels": N_MELS, "pad_mode": "constant"}
    power = librosa.feature.melspectrogram(y=waveform, sr=SAMPLE_RATE, **settings)
    wanted = 10 * np.log10(np.maximum(power, 1e-10))
    np.testing.assert_allclose(mel_of(waveform), wanted, atol=2e-3)


def test_time_runs_to_the_right_and_frequency_up(tmp_path: Path):
    path = write(tmp_path / "two.wav", np.concatenate([tone(200, 5), tone(6000, 5)])[None])
    drawn = picture(path, 0.0, 10.0)
    assert drawn.shape == (128, 200)
    assert drawn.max() == 255
    low, high = drawn[:, 5:95].mean(axis=1).argmax(), drawn[:, 105:195].mean(axis=1).argmax()
    assert low > 115
    assert high < 40
    assert picture(path, 0.0, 10.0, width=64, height=32).shape == (32, 64)


def test_silence_is_black(tmp_path: Path):
    assert picture(write(tmp_path / "silence.wav", np.zeros((1, 100_000))), 0.0, 2.0).max() == 0
