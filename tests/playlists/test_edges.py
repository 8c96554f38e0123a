"""A track's first and last clip and its tempo, which playlists use."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import extract
from audioae.constants import SAMPLE_RATE
from audioae.errors import AudioError
from audioae.playlists.edges import analyze_edges


def tone(hz: float, seconds: float) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def test_edges_are_the_first_and_last_clip_and_the_tempo(tmp_path: Path):
    waveform = np.concatenate([tone(220.0, 5.0), tone(880.0, 5.0)])
    clicks = np.zeros(len(waveform), np.float32)
    clicks[:: SAMPLE_RATE // 2] = 0.5  # 120 BPM
    soundfile.write(tmp_path / "a.wav", waveform + clicks, SAMPLE_RATE)
    config = ClipConfig()
    track = analyze_edges(tmp_path / "a.wav", config, DecodeConfig())
    np.testing.assert_array_equal(track.edges, extract(tmp_path / "a.wav", config, DecodeConfig()).codes[[0, -1]])
    assert track.tempo == pytest.approx(120, rel=0.05)


def test_rejects_a_file_that_is_not_audio(tmp_path: Path):
    (tmp_path / "a.mp3").write_bytes(b"not audio at all")
    with pytest.raises(AudioError, match="not_audio"):
        analyze_edges(tmp_path / "a.mp3", ClipConfig(), DecodeConfig())
