"""A file's evidence section by section: a fault is in its own section, and memory does not grow with the file."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.sections import SECTION_S, measure_sections
from audioae.errors import AudioError
from tests.audio.made import music, write

RATE = 22_050


def test_a_fault_is_in_its_section_alone(tmp_path: Path):
    samples = music(50, RATE)
    samples[17 * RATE : 19 * RATE] = 0
    sections = measure_sections(write(tmp_path / "gap.flac", samples, RATE))
    starts, stops = ([section[name] for section in sections] for name in ("start_s", "stop_s"))
    assert starts == [0, *stops[:-1]]
    assert stops[-1] == 50
    lengths = np.subtract(stops, starts)
    assert len(lengths) == 4
    assert ((lengths >= SECTION_S) & (lengths <= SECTION_S + 5)).all()
    (fault,) = (i for i, section in enumerate(sections) if section["zero_run_s"] > 1)
    assert starts[fault] < 17 < 19 < stops[fault]
    assert sections[fault]["zero_run_s"] == pytest.approx(2, abs=0.01)
    assert [section["fall_db"] > 50 for section in sections] == [i == fault for i in range(len(sections))]


def test_evidence_of_one_section_is_that_of_the_file(tmp_path: Path):
    path = write(tmp_path / "short.wav", music(6, RATE), RATE)
    (section,) = measure_sections(path)
    health = decode_track(path, ClipConfig(), DecodeConfig()).health
    assert (section.pop("start_s"), section.pop("stop_s")) == (0, 6)
    assert section == {name: health[name] for name in section}
    assert {"examined_s", "fall_db", "zero_run_s", "spikes_db"} <= section.keys()


def test_samples_that_are_no_numbers_are_an_error(tmp_path: Path):
    samples = music(25, RATE).astype(np.float32)
    samples[20 * RATE] = np.nan
    sf.write(tmp_path / "nan.wav", samples, RATE, "FLOAT")
    with pytest.raises(AudioError, match=r"non_finite: .* from 20\.00 s on"):
        measure_sections(tmp_path / "nan.wav")


def test_nothing_is_known_where_channels_cancel_each_other(tmp_path: Path):
    samples = music(30, RATE)
    samples[:, 1] = samples[:, 0]
    samples[: 12 * RATE, 1] *= -1
    sections = measure_sections(write(tmp_path / "opposed.flac", samples, RATE))
    (known,) = sections
    assert known["start_s"] > 9
    assert known["stop_s"] == 30


def test_memory_does_not_depend_on_the_length(tmp_path: Path):
    def peak(seconds: int) -> int:
        path = write(tmp_path / f"{seconds}.flac", np.tile(music(10, RATE), (seconds // 10, 1)), RATE)
        tracemalloc.start()
        measure_sections(path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(20)  # what is loaded and compiled at the first use
    assert peak(240) < 1.3 * peak(30)
