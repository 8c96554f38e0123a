"""Each course of frames answers to what it is for, wherever blocks end, and stays quiet on what only resembles it."""

import numpy as np
import pytest

from audioae.audio.transients import TransientMeter
from tests.audio.made import music

RATE = 44_100
BLOCK = 65_536


def course(waveform: np.ndarray, rate: int = RATE, joined: bool = True) -> dict:
    meter = TransientMeter(rate)
    for at in range(0, len(waveform), BLOCK):
        meter.add(waveform[at : at + BLOCK], joined and at > 0)
    return meter.report()


@pytest.fixture
def noise() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(6 * RATE).astype(np.float32)


@pytest.mark.parametrize("at", [30_000, BLOCK - 700, BLOCK, 4 * RATE])
@pytest.mark.parametrize("seconds", [0.03, 0.3, 1.5])
def test_a_gap_of_any_length_anywhere(noise: np.ndarray, at: int, seconds: float):
    assert course(noise)["fall_db"] < 3
    noise[at : at + round(seconds * RATE)] = 0
    assert course(noise)["fall_db"] > 60


def test_music_that_is_let_ring_does_not_fall():
    assert course(music(6)[:, 0])["fall_db"] < 20


def test_a_burst_ends_as_a_decaying_drum_does_not(noise: np.ndarray):
    quiet, burst = noise * 0.05, np.zeros(len(noise), np.float32)
    burst[60_000:62_000] = noise[:2000]
    drum = np.zeros(len(noise), np.float32)
    drum[60_000:] = (10 * noise * np.exp(-np.arange(len(noise)) / 2000))[: len(noise) - 60_000]
    assert course(quiet + burst)["burst_db"] > 20
    assert course(quiet + drum.astype(np.float32))["burst_db"] < 10


def test_a_click(noise: np.ndarray):
    before = course(noise * 0.01)["click_db"]
    noise[100_000:100_004] = 50
    assert course(noise * 0.01)["click_db"] > before + 20


@pytest.mark.parametrize("period_s", [0.02, 0.0331, 0.07])
def test_a_buffer_played_again(noise: np.ndarray, period_s: float):
    assert course(noise)["repeat"] < 0.3
    period = round(period_s * RATE)
    noise[80_000:120_000] = noise[80_000 + np.arange(40_000) % period]
    assert course(noise)["repeat"] > 0.45


def test_a_note_is_no_repetition():
    t = np.arange(6 * RATE) / RATE
    note = sum(np.sin(2 * np.pi * 110 * h * t) / h for h in range(1, 30)) * (1 + 0.3 * np.sin(2 * np.pi * 3 * t))
    assert course((0.2 * note).astype(np.float32))["repeat"] < 0.6


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
@pytest.mark.parametrize("mains", [50, 60])
def test_the_lines_of_the_mains_and_notes_beside_them(rate: int, mains: int):
    t = np.arange(8 * rate) / rate
    quiet = 0.01 * np.random.default_rng(0).standard_normal(len(t))

    def lines(hz: float) -> float:
        tone = sum(0.003 * np.sin(2 * np.pi * hz * h * t) for h in (1, 2, 3, 4))
        return course((quiet + tone).astype(np.float32), rate)["hum_line_db"]

    assert lines(mains) > 15
    assert lines(mains * 1.03) < 10


def test_what_is_too_short_has_no_value():
    assert set(course(np.zeros(500, np.float32)).values()) == {None}
    assert TransientMeter(RATE).report()["fall_db"] is None


def test_runs_that_do_not_join_have_no_fall_between_them(noise: np.ndarray):
    noise[BLOCK:] *= 1e-4
    assert course(noise)["fall_db"] > 60
    assert course(noise, joined=False)["fall_db"] < 5
