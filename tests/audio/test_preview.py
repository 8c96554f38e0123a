"""A preview is small and has the clip's length, pitch and level."""

import io

import numpy as np
import pytest
import soundfile

from audioae.audio.preview import RATES, clip_audio
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(CLIP_SAMPLES) / SAMPLE_RATE).astype(np.float32)


def decoded(data: bytes) -> tuple[np.ndarray, int]:
    waveform, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32")
    return waveform, sample_rate


def test_a_clip_becomes_a_small_mono_mp3_of_its_length_pitch_and_level():
    data = clip_audio(TONE, SAMPLE_RATE)
    waveform, sample_rate = decoded(data)
    assert soundfile.info(io.BytesIO(data)).format == "MP3"
    assert len(data) < 10_500
    assert sample_rate == SAMPLE_RATE
    assert waveform.ndim == 1
    assert abs(len(waveform) - CLIP_SAMPLES) < 0.1 * SAMPLE_RATE
    spectrum = np.abs(np.fft.rfft(waveform))
    assert spectrum.argmax() * SAMPLE_RATE / len(waveform) == pytest.approx(440, abs=1)
    assert np.abs(waveform).max() == pytest.approx(0.5, abs=0.05)


def test_the_size_does_not_depend_on_the_content():
    noise = np.random.default_rng(0).uniform(-1, 1, CLIP_SAMPLES).astype(np.float32)
    assert len(clip_audio(noise, SAMPLE_RATE)) < 10_500


def test_the_same_clip_gives_the_same_bytes():
    assert clip_audio(TONE, SAMPLE_RATE) == clip_audio(TONE.astype(np.float64), SAMPLE_RATE)


@pytest.mark.parametrize("sample_rate", RATES)
def test_every_rate_of_mp3_works(sample_rate: int):
    waveform, rate = decoded(clip_audio(TONE[:sample_rate], sample_rate))
    assert rate == sample_rate
    assert np.abs(waveform).max() > 0.4


def test_samples_beyond_full_scale_are_clipped():
    waveform, _ = decoded(clip_audio(TONE * 20, SAMPLE_RATE))
    assert np.abs(waveform).max() < 1.5


@pytest.mark.parametrize(
    ("waveform", "sample_rate", "message"),
    [
        (np.zeros((2, 100), np.float32), 22_050, r"shape \(2, 100\), wanted \(n_samples,\)"),
        (np.zeros(0, np.float32), 22_050, "not empty"),
        (np.zeros(100, np.float32), 96_000, "got 96000 Hz, wanted one of .* resample first"),
        (np.array([0, np.nan, np.inf], np.float32), 22_050, "2 of 3 samples are NaN or infinite"),
    ],
)
def test_rejects_arrays_that_are_not_a_clip(waveform: np.ndarray, sample_rate: int, message: str):
    with pytest.raises(ValueError, match=message):
        clip_audio(waveform, sample_rate)
