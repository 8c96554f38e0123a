"""Tuning in cents and octaves in dB, of spectra and of files whose speed is known."""

import numpy as np
import pytest

from audioae.audio.tuning import COLUMNS, OCTAVES_HZ, tuning_evidence

RATE, N_FFT = 44_100, 8192


def evidence(waveform: np.ndarray, rate: int = RATE) -> dict:
    window = np.hanning(N_FFT)
    frames = waveform[: len(waveform) // N_FFT * N_FFT].reshape(-1, N_FFT)
    spectra = np.abs(np.fft.rfft(frames * window)) ** 2 / (window.sum() / 2) ** 2
    return tuning_evidence(spectra, N_FFT / rate)


def chord(cents: float, semitones: tuple[int, ...] = (-12, -5, 0, 4, 7)) -> np.ndarray:
    t = np.arange(2 * RATE) / RATE
    hz = [440 * 2 ** ((semitone + cents / 100) / 12) for semitone in semitones]
    return np.sum([0.1 * np.sin(2 * np.pi * h * f * t) / h for f in hz for h in (1, 2, 4)], axis=0)


@pytest.mark.parametrize("cents", [-49, -20, 0, 13, 46])
def test_the_tuning_of_a_chord(cents: float):
    measured = evidence(chord(cents))
    assert measured["tuning_cents"] == pytest.approx(cents, abs=2)
    assert measured["tuning_strength"] > 0.95
    assert measured["partials"] == 11, "four of 15 are also in another note"


@pytest.mark.parametrize(("speed", "cents"), [(48 / 44.1, 46.7), (44.1 / 48, -46.7), (32 / 44.1, 44.7), (2, 0)])
def test_a_wrong_speed_is_between_the_semitones_but_for_an_octave(speed: float, cents: float):
    measured = evidence(chord(1200 * np.log2(speed)))
    assert measured["tuning_cents"] == pytest.approx(cents, abs=2)


def test_noise_has_no_tuning():
    measured = evidence(0.1 * np.random.default_rng(0).standard_normal(4 * RATE))
    assert measured["tuning_strength"] < 0.15


def test_white_noise_has_equal_power_per_hertz():
    measured = evidence(0.1 * np.random.default_rng(0).standard_normal(10 * RATE))
    for hz in OCTAVES_HZ[:-1]:
        share = hz * (2**0.5 - 2**-0.5) / (RATE / 2)
        assert measured[f"octave_{hz}_db"] == pytest.approx(10 * np.log10(share), abs=0.7)


def test_a_tone_is_in_its_octave_and_octaves_above_half_the_rate_are_unknown():
    tone = 0.5 * np.sin(2 * np.pi * 1100 * np.arange(RATE) / RATE)
    measured = evidence(tone)
    assert measured["octave_1000_db"] == pytest.approx(0, abs=0.01)
    assert measured["octave_4000_db"] < -60
    assert measured["partials"] == 1
    assert evidence(tone, rate=16_000)["octave_8000_db"] is None


@pytest.mark.parametrize("spectra", [np.zeros((0, 4097)), np.zeros((3, 4097))])
def test_silence_has_no_values(spectra: np.ndarray):
    assert tuning_evidence(spectra, 0.19) == dict.fromkeys(COLUMNS)


def test_dc_has_no_tuning():
    measured = evidence(np.full(RATE, 0.5))
    assert (measured["tuning_cents"], measured["tuning_strength"], measured["partials"]) == (None, 0, 0)
