"""Faults: as described, the same for the same file, and visible in their column of evidence."""

from pathlib import Path

import numpy as np
import pytest

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import Extracted
from audioae.errors import AudioError
from audioae.screening.corrupt.config import N_FAULTS
from audioae.screening.corrupt.faults import FAULTS, INTACT, extract_faulty
from tests.audio.made import music, write

RATE = 44_100


@pytest.fixture(scope="module")
def planes() -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((8 * RATE, 2)).astype(np.float32)
    return np.ascontiguousarray((music(8) + 0.01 * noise).T)


@pytest.fixture(scope="module")
def health(planes: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("faults")
    path = write(folder / "a.wav", planes.T)
    versions = extract_faulty(path, folder, ClipConfig(max_clips=1), DecodeConfig(), tuple(FAULTS))
    return {name: version.health for name, version in versions.items() if isinstance(version, Extracted)}


def test_every_fault_changes_the_recording_and_stays_within_full_scale(planes: np.ndarray):
    for name, fault in FAULTS.items():
        changed, rate = fault.change(planes, RATE)
        again, _ = fault.change(planes, RATE)
        assert np.array_equal(changed, again), name
        assert changed.dtype == np.float32
        assert rate == RATE
        assert np.abs(changed).max() <= 1
        same = changed.shape == planes.shape and np.allclose(changed, planes, atol=1e-5)
        assert same == (name == INTACT), name


def test_another_recording_gets_faults_at_other_positions(planes: np.ndarray):
    cut = FAULTS["cut short"].change
    ends = [int(np.flatnonzero(cut(p, RATE)[0][0])[-1]) for p in (planes, planes[:, ::-1].copy())]
    assert abs(ends[0] - ends[1]) > 100


@pytest.mark.parametrize(
    ("fault", "column", "change"),
    [
        ("dropouts", "fall_db", 25),
        ("silence", "fall_db", 25),
        ("cut short", "tail_s", 1.0),
        ("clipping", "flat_fraction", 1e-3),
        ("noise", "flatness_db", -5),
        ("hum", "hum_line_db", 5),
        ("offset", "dc_offset", 0.015),
        ("dead channel", "channel_difference_db", 35),
        ("bursts", "burst_db", 5),
        ("muffled", "bandwidth_hz", -5000),
        ("opposed channels", "correlation", -1.5),
        ("coarse", "distinct_fraction", -0.5),
    ],
)
def test_a_fault_changes_its_column_of_evidence(health: dict[str, dict], fault: str, column: str, change: float):
    difference = health[fault][column] - health[INTACT][column]
    assert difference >= change if change > 0 else difference <= change


def test_only_the_middle_of_a_long_recording_is_used(tmp_path: Path):
    path = write(tmp_path / "a.wav", music(40, 22_050, 1), 22_050)
    versions = extract_faulty(path, tmp_path, ClipConfig(max_clips=1), DecodeConfig(), [INTACT])
    assert versions[INTACT].health["duration_s"] == pytest.approx(30, abs=0.1)  # pyright: ignore


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(AudioError, match="unreadable"):
        extract_faulty(tmp_path / "gone.wav", tmp_path, ClipConfig(), DecodeConfig(), [INTACT])


def test_the_config_allows_as_many_faults_as_there_are():
    assert len(FAULTS) - 1 == N_FAULTS
