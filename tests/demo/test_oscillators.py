"""Oscillators: waves computed in blocks equal the formulas, sample by sample; saws do not alias."""

import numpy as np

from audioae.demo import oscillators as osc
from tests.demo.scores import RATE

N = 20_000
T = np.arange(N) / RATE


def test_phase_equals_frequency_times_time():
    expected = 3.7 / RATE * np.arange(N) * 100 + 0.25
    error = osc.phase(370.0, N, RATE, start=0.25) - expected % 1
    assert np.abs(error - np.round(error)).max() < 1e-5


def test_vibrato_sways_around_the_frequency_and_sets_in_slowly():
    hz, depth = 440.0, 0.3
    cycles = np.unwrap(osc.phase(hz, 2 * RATE, RATE, depth, 5.0).astype(np.float64), period=1)
    semitones = 12 * np.log2(np.diff(cycles) * RATE / hz)
    smooth = np.convolve(semitones, np.ones(441) / 441, mode="valid")
    assert np.abs(smooth[:200]).max() < 0.15 * depth
    np.testing.assert_allclose([smooth[RATE:].max(), smooth[RATE:].min()], [depth, -depth], rtol=0.1)


def test_partials_equal_a_sum_of_decaying_sines():
    ratios, levels, decays_s = (1, 2.7, 5), (1, 0.5, 0.3), (0.2, 0.1, 0.02)
    expected = sum(
        level * np.exp(-T / decay_s) * np.sin(2 * np.pi * 220 * ratio * T)
        for ratio, level, decay_s in zip(ratios, levels, decays_s, strict=True)
    )
    wave = osc.partials(220, N, RATE, ratios, levels, decays_s)
    assert wave.dtype == np.float32
    np.testing.assert_allclose(wave, expected, atol=1e-5)


def test_partials_above_the_limit_are_left_out():
    wave = osc.partials(10_000, N, RATE, (1, 2.2), (1, 1), (0.2, 0.2))
    np.testing.assert_array_equal(wave, osc.partials(10_000, N, RATE, (1,), (1,), (0.2,)))
    assert not osc.partials(10_000, N, RATE, (2.2,), (1,), (0.2,)).any()


def test_decay_equals_an_exponential():
    np.testing.assert_allclose(osc.decay(N, 0.1, RATE), np.exp(-T / 0.1), rtol=1e-5)


def test_a_high_saw_does_not_alias():
    hz, n = 3000.0, 44_100
    power = np.abs(np.fft.rfft(osc.saw(osc.phase(hz, n, RATE), hz, RATE) * np.hanning(n))) ** 2
    at_hz = np.arange(len(power)) * RATE / n
    harmonic = np.abs(at_hz - hz * np.round(at_hz / hz)) < 10
    assert 10 * np.log10(power[~harmonic].sum() / power.sum()) < -25


def test_filters_pass_and_stop():
    def level(wave: np.ndarray) -> float:
        return float(np.sqrt(np.mean(wave[N // 2 :] ** 2) * 2))

    low, high = (np.sin(2 * np.pi * hz * T).astype(np.float32) for hz in (100, 10_000))
    assert abs(level(osc.low_pass(low, 1000, RATE)) - 1) < 0.02
    assert level(osc.low_pass(high, 1000, RATE)) < 0.01
    assert level(osc.high_pass(low, 1000, RATE)) < 0.02
    assert abs(level(osc.high_pass(high, 1000, RATE)) - 1) < 0.02
    assert abs(level(osc.resonance(low, 100, 2, RATE)) - 1) < 0.05
