"""Mels back to sound, and what a playlist hears of a track."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import extract
from audioae.audio.griffin_lim import PEAK, mel_waveform
from audioae.audio.mel import log_mel
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import AudioError
from audioae.playlists.edges import analyze_edges


def tone(hz: float, seconds: float) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def test_a_tone_comes_back_as_that_tone():
    mel = log_mel(tone(440.0, 3.0)[None])[0]
    waveform = mel_waveform(mel)
    assert len(waveform) == 129 * 512
    assert np.abs(waveform).max() == pytest.approx(PEAK, abs=1e-3)
    again = log_mel(np.pad(waveform, (0, CLIP_SAMPLES - len(waveform)))[None])[0]
    assert again.mean(axis=1).argmax() == mel.mean(axis=1).argmax()
    np.testing.assert_array_equal(mel_waveform(mel), waveform)


@pytest.mark.parametrize("mel", [np.zeros((64, 130)), np.zeros(128), np.full((128, 130), np.nan)])
def test_what_is_no_mel_is_refused(mel: np.ndarray):
    with pytest.raises(ValueError, match=r"wanted \(128, n_frames\) of finite dB"):
        mel_waveform(mel)


def test_hear_gives_first_and_last_clip_and_tempo(tmp_path: Path):
    waveform = np.concatenate([tone(220.0, 5.0), tone(880.0, 5.0)])
    clicks = np.zeros(len(waveform), np.float32)
    clicks[:: SAMPLE_RATE // 2] = 0.5  # 120 BPM
    soundfile.write(tmp_path / "a.wav", waveform + clicks, SAMPLE_RATE)
    config = ClipConfig()
    heard = analyze_edges(tmp_path / "a.wav", config, DecodeConfig())
    np.testing.assert_array_equal(heard.edges, extract(tmp_path / "a.wav", config, DecodeConfig()).codes[[0, -1]])
    assert heard.tempo == pytest.approx(120, rel=0.05)


def test_hear_says_why_a_file_cannot_be_used(tmp_path: Path):
    (tmp_path / "a.mp3").write_bytes(b"not audio at all")
    with pytest.raises(AudioError):
        analyze_edges(tmp_path / "a.mp3", ClipConfig(), DecodeConfig())
