"""A burst and a gap stand out by as much as they were made louder or quieter; onsets and decays do not."""

from typing import Any

import numpy as np
import pytest

from audioae.audio.fine_frames import fine_frames
from audioae.audio.plateaus import plateau_evidence

RATE = 44_100


def evidence(*runs: np.ndarray, rate: int = RATE) -> tuple[Any, Any]:
    measured = plateau_evidence([fine_frames(run, rate) for run in runs])
    return measured["plateau_db"], measured["gap_db"]


def noise(seconds: float = 4, rate: int = RATE) -> np.ndarray:
    return (0.01 * np.random.default_rng(0).standard_normal(round(seconds * rate))).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
@pytest.mark.parametrize("seconds", [0.02, 0.05, 0.095])
def test_a_burst_stands_out_by_its_level(rate: int, seconds: float):
    run = noise(rate=rate)
    assert evidence(run, rate=rate)[0] < 1
    run[rate : rate + round(seconds * rate)] *= 10
    plateau, gap = evidence(run, rate=rate)
    assert plateau == pytest.approx(20, abs=4)
    assert gap < 2


@pytest.mark.parametrize("seconds", [0.02, 0.19, 1.9])
def test_a_gap_is_as_deep_as_it_was_made(seconds: float):
    run = noise()
    run[RATE : RATE + round(seconds * RATE)] /= 10
    plateau, gap = evidence(run)
    assert gap == pytest.approx(20, abs=4)
    assert plateau < 1


def test_what_lasts_longer_or_ends_slowly_is_no_burst():
    long = noise()
    long[RATE : 2 * RATE] *= 10
    drum = noise()
    drum[RATE : 2 * RATE] *= 1 + 30 * np.exp(-np.arange(RATE, dtype=np.float32) / 2000)
    assert evidence(long)[0] < 1
    assert evidence(drum)[0] < 3


def test_the_end_of_a_run_is_no_edge():
    loud, quiet = noise(), noise() / 100
    assert evidence(quiet, loud[: RATE // 20], quiet)[0] < 1
    assert evidence(np.concatenate([quiet, loud[: RATE // 20], quiet]))[0] == pytest.approx(40, abs=3)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_silence_and_dc_stand_out_by_nothing(value: float):
    assert evidence(np.full(RATE, value, np.float32)) == (0, 0)


def test_short_runs_have_no_values():
    assert evidence(noise(0.03)) == evidence() == evidence(np.zeros(0, np.float32)) == (None, None)
    assert evidence(noise(0.05))[0] < 1
