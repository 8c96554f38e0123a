"""Effects: computed in blocks, they equal their definition."""

import numpy as np
import pytest

from audioae.demo import effects
from tests.demo.scores import RATE

N = 50_000
BUS = np.random.default_rng(0).standard_normal(N, dtype=np.float32)


def tone(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz / RATE * np.arange(N)).astype(np.float32)


def test_reverb_equals_the_convolution_with_its_response():
    impulse = np.zeros(N, np.float32)
    impulse[0] = 1
    room = effects.reverb(impulse, 0.3, 3000, np.random.default_rng(1), RATE)
    wet = effects.reverb(BUS, 0.3, 3000, np.random.default_rng(1), RATE)
    assert wet.dtype == np.float32
    for side, response in zip(wet, room, strict=True):
        np.testing.assert_allclose(side, np.convolve(BUS.astype(np.float64), response)[:N], atol=1e-3)
    np.testing.assert_allclose(np.sum(room**2, axis=1), 1, rtol=1e-3)
    assert np.abs(room[:, : int(0.011 * RATE)]).max() < 1e-6, "the direct sound is not part of the room"


def test_convolution_in_several_blocks_equals_one(monkeypatch: pytest.MonkeyPatch):
    room = np.random.default_rng(1).standard_normal((2, 3000), dtype=np.float32)
    whole = effects._convolve(BUS, room)
    monkeypatch.setattr(effects, "_CONVOLVED", 8192)
    np.testing.assert_allclose(effects._convolve(BUS, room), whole, atol=1e-2)


def test_chorus_mixes_the_bus_with_delayed_copies():
    n = np.arange(N)
    drift = np.sin(2 * np.pi * 0.6 / RATE * n)
    out = effects.chorus(BUS, 4.0, 0.6, RATE)
    for side, sign in zip(out, (0.5, -0.5), strict=True):
        copy = np.interp(n - (0.012 + sign * 0.004 * drift) * RATE, n, BUS)
        np.testing.assert_allclose(side, 0.75 * BUS + 0.6 * copy, atol=2e-3)


def test_echo_repeats_the_bus_after_its_delay_on_alternating_sides():
    impulse = np.zeros(N, np.float32)
    impulse[0] = 1
    out = effects.echo(impulse, 0.2, 0.6, RATE)
    shift = int(0.2 * RATE)
    assert not out[:, :shift].any()
    energy = [np.sum(out[:, first : first + shift] ** 2, axis=1) for first in (shift, 2 * shift)]
    assert energy[0][0] > energy[0][1]
    assert energy[1][1] > energy[1][0]
    assert energy[0].sum() > energy[1].sum() > 0


@pytest.mark.parametrize(("hz", "expected_db"), [(40, 6), (800, 0), (15_000, -4)])
def test_tilt_changes_lows_and_highs_by_its_decibels(hz: float, expected_db: float):
    out = effects.tilt(np.stack([tone(hz)] * 2), 6, -4, RATE)
    gain = np.sqrt(np.mean(out[:, N // 2 :] ** 2) / np.mean(tone(hz)[N // 2 :] ** 2))
    assert 20 * np.log10(gain) == pytest.approx(expected_db, abs=0.7)


def test_duck_lowers_the_gain_at_every_kick_and_returns():
    gain = effects.duck(N, np.array([0.0, 0.5]), 0.6, RATE)
    assert gain[0] == pytest.approx(0.4)
    assert gain[int(0.5 * RATE)] == pytest.approx(0.4)
    assert gain[int(0.49 * RATE)] == 1
    assert gain.shape == (N,)


def test_master_sets_the_level_and_keeps_peaks_below_the_ceiling():
    mix = np.stack([BUS, BUS]) * np.linspace(0.01, 1, N, dtype=np.float32)
    out = effects.master(mix, -10, RATE)
    assert np.abs(out).max() < 0.97
    assert 20 * np.log10(np.sqrt(np.mean(out**2))) == pytest.approx(-10, abs=0.5)
    ratio = [np.sqrt(np.mean(wave[:, -4410:] ** 2) / np.mean(wave[:, 4410:8820] ** 2)) for wave in (out, mix)]
    assert ratio[0] < ratio[1], "the master compresses"
