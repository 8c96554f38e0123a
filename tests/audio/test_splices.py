"""Blocks give what the runs give that they were cut from, and a track's health contains it."""

from pathlib import Path

import numpy as np
import pytest

from audioae.audio.splices import MOST_S, SpliceMeter
from tests.audio.decoding import RATE, health_of, noisy_music

COLUMNS = ("spike_db", "spikes_db", "loop", "loop_match", "plateau_db", "gap_db")


def evidence(run: np.ndarray, block: int) -> dict:
    meter = SpliceMeter(RATE)
    for at in range(0, len(run), block):
        meter.add(run[at : at + block], joined=at > 0)
    return meter.columns()


def test_blocks_do_not_matter():
    run = (0.1 * np.random.default_rng(0).standard_normal(5 * RATE)).astype(np.float32)
    run[RATE : 2 * RATE] = run[RATE + np.arange(RATE) % 2000]
    assert evidence(run, 65_536) == evidence(run, 10_007) == evidence(run, len(run))


def test_a_meter_without_blocks_has_no_values():
    assert SpliceMeter(RATE).columns() == dict.fromkeys(
        ("spike_db", "spikes_db", "loop", "loop_match", "plateau_db", "gap_db")
    )


@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "FLOAT"), ("flac", "PCM_16"), ("ogg", "VORBIS")])
def test_health_contains_clicks_and_repeats_of_a_file(tmp_path: Path, suffix: str, subtype: str):
    clean = noisy_music()
    faulty = clean.copy()
    faulty[2 * RATE : 3 * RATE] = clean[2 * RATE + np.arange(RATE) % round(0.04 * RATE)]
    faulty[5 * RATE] = 0.9
    before, after = (health_of(tmp_path / f"a.{suffix}", samples, subtype) for samples in (clean, faulty))
    assert before["loop"] < 0.4 < 0.6 < after["loop"]
    assert after["spike_db"] > before["spike_db"] + 12


def test_what_comes_after_the_longest_time_is_not_kept():
    meter = SpliceMeter(1000)
    for _ in range(MOST_S + 5):
        meter.add(np.zeros(1000, np.float32), True)
    assert sum(len(block) for run in meter._runs for block in run) == MOST_S * 1000
