"""From mels back to audio."""

import numpy as np
import pytest

from audioae.audio.griffin_lim import PEAK, mel_waveform
from audioae.audio.mel import log_mel
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE


def tone(hz: float, seconds: float) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def test_a_tone_is_restored_at_its_frequency():
    mel = log_mel(tone(440.0, 3.0)[None])[0]
    waveform = mel_waveform(mel)
    assert len(waveform) == 129 * 512
    assert np.abs(waveform).max() == pytest.approx(PEAK, abs=1e-3)
    again = log_mel(np.pad(waveform, (0, CLIP_SAMPLES - len(waveform)))[None])[0]
    assert again.mean(axis=1).argmax() == mel.mean(axis=1).argmax()
    np.testing.assert_array_equal(mel_waveform(mel), waveform)


@pytest.mark.parametrize("mel", [np.zeros((64, 130)), np.zeros(128), np.full((128, 130), np.nan)])
def test_rejects_arrays_that_are_not_a_mel(mel: np.ndarray):
    with pytest.raises(ValueError, match=r"wanted \(128, n_frames\) of finite dB"):
        mel_waveform(mel)
