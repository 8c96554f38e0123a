"""Pitched instruments and voices: every one is in tune, finite, and ends without a click."""

import numpy as np
import pytest

from audioae.demo.instruments import Note
from audioae.demo.render import PITCHED
from tests.demo.scores import RATE


@pytest.mark.parametrize("name", sorted(PITCHED))
def test_an_instrument_is_in_tune(name: str):
    hz = 220.0
    note = Note(hz, 0.8, 0.6, 0.4, RATE, np.random.default_rng(0))
    wave = PITCHED[name](note)
    assert wave.dtype == np.float32
    assert np.isfinite(wave).all()
    assert 0.05 < np.abs(wave).max() < 8
    assert abs(wave[-1]) < 0.05, "ends in a click"
    body = wave[: int(0.8 * RATE)] * np.hanning(int(0.8 * RATE))
    power = np.abs(np.fft.rfft(body)) ** 2
    at_hz = np.arange(len(power)) / 0.8
    tonal = np.abs(at_hz / hz - np.round(at_hz / hz)) * hz < 8  # within 8 Hz of a harmonic
    share = power[tonal & (at_hz > 100)].sum() / power.sum()
    assert share > (0.2 if name in ("bell", "kalimba", "marimba", "vibraphone") else 0.6)
