"""Features, estimates and preview of one track's audio."""

import numpy as np
import pytest
import soundfile

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.features import N_FEATURES, clip_features
from audioae.constants import SAMPLE_RATE
from audioae.errors import AudioError
from audioae.evaluation.track_audio import analyze_track

RNG = np.random.default_rng(0)


def write(path, seconds: float):
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    clicks = (np.mod(t, 0.5) < 0.02) * RNG.normal(0, 0.3, len(t))
    soundfile.write(path, (0.1 * np.sin(2 * np.pi * 220 * t) + clicks).astype(np.float32), SAMPLE_RATE)
    return path


def test_features_are_the_mean_over_the_embedded_clips(tmp_path):
    path = write(tmp_path / "a.wav", 7)
    track = analyze_track(path, ClipConfig(), DecodeConfig(), False, False)
    clips = decode_track(path, ClipConfig(), DecodeConfig()).clips
    expected = np.mean([clip_features(clip) for clip in clips], axis=0)
    assert track.features.shape == (N_FEATURES,)
    np.testing.assert_allclose(track.features, expected, rtol=1e-5, atol=1e-5)
    assert track.targets == {}
    assert track.audio == b""


def test_estimates_tempo_from_the_longest_run_of_overlapping_clips(tmp_path):
    track = analyze_track(write(tmp_path / "a.wav", 20), ClipConfig(), DecodeConfig(), True, True)
    assert track.targets["tempo"] == pytest.approx(120, rel=0.03)
    assert track.targets["energy"] < 0
    assert len(track.audio) > 2000
    assert track.clip == 6


def test_clips_with_gaps_are_estimated_from_one_clip(tmp_path):
    track = analyze_track(write(tmp_path / "a.wav", 30), ClipConfig(max_clips=3), DecodeConfig(), True, False)
    assert np.isfinite(track.targets["energy"])


def test_missing_file_is_an_audio_error(tmp_path):
    with pytest.raises(AudioError):
        analyze_track(tmp_path / "none.wav", ClipConfig(), DecodeConfig(), True, True)
