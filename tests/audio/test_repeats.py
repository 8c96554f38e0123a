"""A buffer that was played twice is found at its lag; tones, chords and noise do not count as one."""

from typing import Any

import numpy as np
import pytest

from audioae.audio.fine_frames import fine_frames
from audioae.audio.repeats import repeat_evidence
from tests.audio.made import music

RATE = 44_100


def loops(*runs: np.ndarray, rate: int = RATE) -> tuple[Any, Any]:
    evidence = repeat_evidence(runs, [fine_frames(run, rate) for run in runs], rate)
    return evidence["loop"], evidence["loop_match"]


def noise(seconds: float = 4, rate: int = RATE) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * rate))).astype(np.float32)


def stutter(run: np.ndarray, period_s: float, seconds: float = 0.3, rate: int = RATE) -> np.ndarray:
    period, n, at = round(period_s * rate), round(seconds * rate), rate
    changed = run.copy()
    changed[at : at + n] = run[at + np.arange(n) % period]
    return changed


@pytest.mark.parametrize("rate", [16_000, 44_100, 96_000])
@pytest.mark.parametrize("period_s", [0.0155, 0.033, 0.0741, 0.09])
def test_a_repeated_buffer_equals_itself(rate: int, period_s: float):
    run = noise(rate=rate)
    assert loops(run, rate=rate)[1] < 0.3
    loop, match = loops(stutter(run, period_s, rate=rate), rate=rate)
    assert loop > 0.7
    assert match == pytest.approx(1, abs=1e-3)


def test_music_with_a_repeated_buffer():
    run = np.ascontiguousarray(music(6)[:, 0])
    assert loops(run)[0] < 0.3
    assert loops(stutter(run, 0.0437))[0] > 0.6


def test_a_tone_equals_itself_at_every_period_and_is_no_loop():
    t = np.arange(4 * RATE) / RATE
    swell = 1 + 0.3 * np.sin(2 * np.pi * 3 * t)
    tone = sum(np.sin(2 * np.pi * 220 * h * t) / h for h in range(1, 30))
    loop, match = loops((0.2 * swell * tone).astype(np.float32))
    assert loop < 0.05
    assert match > 0.9


def test_a_short_stretch_and_an_encoder_lower_the_similarity():
    run = noise()
    encoded = stutter(run, 0.03) + 0.3 * np.roll(run, 999)
    assert 0.7 < loops(encoded)[0] < 0.95
    assert loops(stutter(run, 0.05, seconds=0.1))[1] < 0.8, "it repeats for 50 ms"


def test_the_end_of_a_run_is_no_repetition():
    run = stutter(noise(), 0.05, seconds=0.3)
    middle = RATE + round(0.05 * RATE)
    assert loops(run[:middle], run[middle + 8820 :])[0] < 0.3


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_silence_and_dc_have_no_loop(value: float):
    assert loops(np.full(RATE, value, np.float32)) == (0, 0)


def test_short_runs_have_no_values():
    assert loops(noise(0.05)) == loops() == loops(noise(0.21)) == (None, None)
    assert loops(noise(0.23))[1] < 0.3
    assert loops(noise(4, 2_000), rate=2_000) == (None, None)
