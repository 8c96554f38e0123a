"""Spikes are wrong samples: as high as they were made, at every rate, and not the onsets of sounds."""

from typing import Any

import numpy as np
import pytest

from audioae.audio.clicks import click_evidence
from audioae.audio.fine_frames import fine_frames

RATE = 44_100


def spikes(*runs: np.ndarray, rate: int = RATE) -> tuple[Any, Any]:
    frames = [fine_frames(run, rate) for run in runs]
    evidence = click_evidence(runs, frames, rate)
    return evidence["spike_db"], evidence["spikes_db"]


def noise(seconds: float = 4, rate: int = RATE) -> np.ndarray:
    return (0.01 * np.random.default_rng(0).standard_normal(round(seconds * rate))).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
@pytest.mark.parametrize("level_db", [30, 50])
def test_a_wrong_sample_is_as_high_as_it_was_made(rate: int, level_db: float):
    run = noise(rate=rate)
    run[rate] += 0.01 * 10 ** (level_db / 20)
    spike, fifth = spikes(run, rate=rate)
    assert spike == pytest.approx(level_db, abs=1.5)
    assert fifth < 16, "the other largest samples of 4 s of noise"


def test_five_clicks_and_not_four_are_seen_in_the_fifth_spike():
    run = noise()
    run[RATE // 2 :: RATE // 2][:4] += 1
    assert spikes(run)[1] < 16
    run[3 * RATE] += 1
    assert spikes(run)[1] == pytest.approx(40, abs=1.5)


def test_a_tone_hides_no_click():
    """20 dB below the tone, and far above what the prediction leaves of it."""
    t = np.arange(4 * RATE) / RATE
    tone = (0.5 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    tone += 1e-5 * np.random.default_rng(0).standard_normal(len(t)).astype(np.float32)
    clean = spikes(tone)[0]
    tone[2 * RATE] += 0.05
    assert clean < 16
    assert spikes(tone)[0] > clean + 20


def test_a_drum_is_no_click():
    run = noise()
    drum = np.exp(-np.arange(RATE) / 2000) * np.random.default_rng(1).standard_normal(RATE)
    run[RATE : 2 * RATE] += (0.5 * drum).astype(np.float32)
    assert spikes(run)[0] < 25


def test_where_a_run_ends_is_no_click():
    one, other = noise(), noise() + np.float32(0.5)
    assert spikes(one, other)[0] < 16
    assert spikes(np.concatenate([one, other]))[0] == pytest.approx(34, abs=2)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_silence_and_dc_have_no_spikes(value: float):
    assert spikes(np.full(RATE, value, np.float32)) == pytest.approx((0, 0), abs=1e-3)


def test_short_runs_have_no_values():
    assert spikes(noise(0.05)) == (None, None)
    assert spikes() == spikes(np.zeros(0, np.float32)) == (None, None)
    assert spikes(noise(0.06))[0] < 16
    assert spikes(noise(4, 2_000), rate=2_000) == (None, None)
