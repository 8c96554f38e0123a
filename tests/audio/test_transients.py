"""Each value responds to its fault, independent of block boundaries, and not to sounds that resemble the fault."""

import numpy as np
import pytest

from audioae.audio.transients import TransientMeter
from tests.audio.made import music

RATE = 44_100
BLOCK = 65_536


def evidence(waveform: np.ndarray, rate: int = RATE, joined: bool = True) -> dict:
    meter = TransientMeter(rate)
    for at in range(0, len(waveform), BLOCK):
        meter.add(waveform[at : at + BLOCK], joined and at > 0)
    return meter.columns()


@pytest.fixture
def noise() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(6 * RATE).astype(np.float32)


@pytest.mark.parametrize("at", [30_000, BLOCK - 700, BLOCK, 4 * RATE])
@pytest.mark.parametrize("seconds", [0.03, 0.3, 1.5])
def test_a_gap_of_any_length_at_any_position_falls_steeply(noise: np.ndarray, at: int, seconds: float):
    assert evidence(noise)["fall_db"] < 3
    noise[at : at + round(seconds * RATE)] = 0
    assert evidence(noise)["fall_db"] > 60


def test_decaying_notes_do_not_fall_steeply():
    assert evidence(music(6)[:, 0])["fall_db"] < 20


def test_a_burst_ends_more_abruptly_than_a_drum(noise: np.ndarray):
    quiet, burst = noise * 0.05, np.zeros(len(noise), np.float32)
    burst[60_000:62_000] = noise[:2000]
    drum = np.zeros(len(noise), np.float32)
    drum[60_000:] = (10 * noise * np.exp(-np.arange(len(noise)) / 2000))[: len(noise) - 60_000]
    assert evidence(quiet + burst)["burst_db"] > 20
    assert evidence(quiet + drum.astype(np.float32))["burst_db"] < 10


def test_a_click_stands_out(noise: np.ndarray):
    before = evidence(noise * 0.01)["click_db"]
    noise[100_000:100_004] = 50
    assert evidence(noise * 0.01)["click_db"] > before + 20


@pytest.mark.parametrize("period_s", [0.02, 0.0331, 0.07])
def test_a_repeated_buffer_correlates_with_itself(noise: np.ndarray, period_s: float):
    assert evidence(noise)["repeat"] < 0.3
    period = round(period_s * RATE)
    noise[80_000:120_000] = noise[80_000 + np.arange(40_000) % period]
    assert evidence(noise)["repeat"] > 0.45


def test_a_note_does_not_count_as_repetition():
    t = np.arange(6 * RATE) / RATE
    note = sum(np.sin(2 * np.pi * 110 * h * t) / h for h in range(1, 30)) * (1 + 0.3 * np.sin(2 * np.pi * 3 * t))
    assert evidence((0.2 * note).astype(np.float32))["repeat"] < 0.6


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
@pytest.mark.parametrize("mains", [50, 60])
def test_mains_hum_stands_out_and_a_note_near_it_does_not(rate: int, mains: int):
    t = np.arange(8 * rate) / rate
    quiet = 0.01 * np.random.default_rng(0).standard_normal(len(t))

    def lines(hz: float) -> float:
        tone = sum(0.003 * np.sin(2 * np.pi * hz * h * t) for h in (1, 2, 3, 4))
        return evidence((quiet + tone).astype(np.float32), rate)["hum_line_db"]

    assert lines(mains) > 15
    assert lines(mains * 1.03) < 10


def test_short_waveforms_have_no_values():
    assert set(evidence(np.zeros(500, np.float32)).values()) == {None}
    assert TransientMeter(RATE).columns()["fall_db"] is None


def test_a_gap_between_runs_is_not_a_fall(noise: np.ndarray):
    noise[BLOCK:] *= 1e-4
    assert evidence(noise)["fall_db"] > 60
    assert evidence(noise, joined=False)["fall_db"] < 5
