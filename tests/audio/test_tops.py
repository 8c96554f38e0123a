"""Clipped maxima are equally high in whatever channel, and also after an attenuation; those of noise are not."""

from typing import Any

import numpy as np
import pytest

from audioae.audio.tops import TopMeter

RATE, BLOCK = 44_100, 65_536


def tops_db(*channels: np.ndarray) -> Any:
    meter, planes = TopMeter(RATE, len(channels)), np.stack(channels)
    for at in range(0, planes.shape[1], BLOCK):
        meter.add(planes[:, at : at + BLOCK])
    return meter.columns()["tops_db"]


@pytest.fixture
def noise() -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(4 * RATE)).astype(np.float32)


def test_clipped_maxima_are_equal_also_if_attenuated(noise: np.ndarray):
    assert 2 < tops_db(noise) < 4, "4.6 to 3.3 standard deviations"
    assert tops_db(0.3 * np.clip(noise, -0.25, 0.25)) == 0


def test_the_clipped_channel_counts(noise: np.ndarray):
    assert tops_db(noise, np.clip(noise, -0.25, 0.25)) == 0


def test_two_levels_of_tops():
    """Of 60 tops, those from the 40th on are half as high; 3 s want the 60th."""
    waveform = np.zeros(3 * RATE, np.float32)
    waveform[1000 : 1000 + 60 * 500 : 500] = np.where(np.arange(60) < 40, 0.8, 0.41)
    assert tops_db(waveform) == pytest.approx(20 * np.log10(0.8 / 0.41), abs=0.01)


@pytest.mark.parametrize(
    "waveform", [np.zeros(RATE), np.full(RATE, 0.7), np.full(RATE, 1e-3), np.zeros(1), np.zeros(0)]
)
def test_silence_and_dc_have_no_tops(waveform: np.ndarray):
    assert tops_db(waveform.astype(np.float32)) is None


def test_a_meter_without_blocks_has_no_value():
    assert TopMeter(RATE, 2).columns() == {"tops_db": None}
