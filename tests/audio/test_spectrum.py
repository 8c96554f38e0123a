"""Spectral evidence: low-passes and mains hum."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import butter, sosfilt

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.spectrum import spectral_evidence
from tests.audio.decoding import RATE, health_of, noisy_music
from tests.audio.made import music


@pytest.mark.parametrize("cutoff_hz", [4_000, 8_000, 16_000])
def test_cutoff_is_the_frequency_of_a_low_pass(tmp_path: Path, cutoff_hz: int):
    low_pass = butter(20, cutoff_hz, fs=RATE, output="sos")
    samples = np.asarray(sosfilt(low_pass, noisy_music(), axis=0))
    measured = health_of(tmp_path / "a.wav", samples)["cutoff_hz"]
    assert cutoff_hz * 0.95 < measured < cutoff_hz * 1.6


def test_cutoff_shows_the_low_pass_of_an_mp3(tmp_path: Path):
    path = tmp_path / "a.mp3"
    with sf.SoundFile(path, "w", RATE, 2, bitrate_mode="CONSTANT", compression_level=0.8) as file:
        file.write(noisy_music())
    low = decode_track(path, ClipConfig(), DecodeConfig()).health
    assert low["cutoff_hz"] < 20_000
    assert low["codec"] == "mpeg_layer_iii"
    assert low["claimed_s"] == pytest.approx(8, abs=0.1)


@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
def test_hum_is_prominent(tmp_path: Path, mains_hz: int, rate: int):
    t = np.arange(rate * 8) / rate
    hum = sum(0.01 / h * np.sin(2 * np.pi * mains_hz * h * t) for h in (1, 2, 3, 4))
    samples = music(8, rate, 1)[:, 0] + 0.003 * np.random.default_rng(0).standard_normal(rate * 8)
    with_hum, without = tmp_path / "hum.wav", tmp_path / "clean.wav"
    sf.write(with_hum, samples + hum, rate)
    sf.write(without, samples, rate)
    values = [decode_track(path, ClipConfig(), DecodeConfig()).health["hum_db"] for path in (with_hum, without)]
    assert values[0] > values[1] + 10


def test_without_spectra_every_value_is_none():
    assert set(spectral_evidence(np.zeros((0, 4097)), 0.19).values()) == {None}
