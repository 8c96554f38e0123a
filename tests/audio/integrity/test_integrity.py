"""Every container: truncation, damage in the middle, a header alone, tags and junk around whole audio."""

import re
from pathlib import Path

import numpy as np
import pytest

from audioae.audio.config import DecodeConfig
from tests.audio.decoding import (
    ALL_CONFIGS,
    APE,
    ID3V1,
    ID3V2,
    assert_same_sound,
    copy_of,
    decode,
    reject,
)
from tests.audio.made import FORMATS, damage, music, truncate, write


@ALL_CONFIGS
@pytest.mark.parametrize("share", [0.3, 0.95])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_file_is_rejected_with_its_lengths(
    whole_files: dict[str, Path], tmp_path: Path, kind: str, share: float, config: DecodeConfig
):
    path = copy_of(whole_files[kind], tmp_path)
    truncate(path, share)
    error = reject(path, config)
    assert error.reason == "truncated"
    if kind == "m4a":  # its index is at the end, so only bytes are known
        assert re.match(r"[\d,]+ of [\d,]+ bytes", error.detail)
    elif kind in ("ogg", "opus", "aac"):  # they do not store their length
        assert float(error.detail.split()[0]) == pytest.approx(30 * share, abs=1.5)
    else:
        present, claimed = re.match(r"([\d.]+) of ([\d.]+) s", error.detail).groups()  # type: ignore  # None fails
        assert float(present) == pytest.approx(30 * share, abs=1.5)
        assert float(claimed) == pytest.approx(30, abs=0.1)


LOSSY = [kind for kind in FORMATS if kind not in ("wav", "aiff")]  # and flac: formats in which damage leaves a trace


@ALL_CONFIGS
@pytest.mark.parametrize("kind", LOSSY)
def test_much_damage_in_the_middle_is_rejected_with_its_position(
    whole_files: dict[str, Path], tmp_path: Path, kind: str, config: DecodeConfig
):
    path = copy_of(whole_files[kind], tmp_path)
    damage(path, 0.6, 200_000 if kind == "flac" else 20_000)
    error = reject(path, config)
    assert error.reason == "corrupt"
    at_s = float(re.match(r"at ([\d.]+) s", error.detail).group(1))  # type: ignore  # None fails
    assert at_s == pytest.approx(18, abs=1.5)


@ALL_CONFIGS
@pytest.mark.parametrize("kind", LOSSY)
def test_little_damage_in_the_middle_is_evidence(
    whole_files: dict[str, Path], tmp_path: Path, kind: str, config: DecodeConfig
):
    path = copy_of(whole_files[kind], tmp_path)
    damage(path, 0.6, 20_000 if kind == "flac" else 2_000)
    health = decode(path, config.model_copy(update={"max_missing": 0.05})).health
    assert health["resyncs"] >= 1
    assert 0.02 < health["missing_s"] < (1.1 if kind == "opus" else 0.6)  # a page of its encoder is a second
    assert health["duration_s"] == pytest.approx(30 - health["missing_s"], abs=0.4)
    error = reject(path, config.model_copy(update={"max_missing": 0.0}))
    assert error.reason == "corrupt"


@ALL_CONFIGS
@pytest.mark.parametrize("kind", ["wav", "aiff", "flac", "mp3"])
def test_a_file_cut_by_three_tenths_of_a_second_is_evidence(
    whole_files: dict[str, Path], tmp_path: Path, kind: str, config: DecodeConfig
):
    path = copy_of(whole_files[kind], tmp_path)
    truncate(path, 1 - 0.3 / 30)
    health = decode(path, config).health
    assert health["missing_s"] == pytest.approx(0.3, abs=0.15)
    assert health["duration_s"] == pytest.approx(29.7, abs=0.15)
    assert health["resyncs"] == 0
    whole = decode(whole_files[kind], config).health
    assert (whole["resyncs"], whole["missing_s"]) == (0, 0)


@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg"])
def test_damage_up_to_the_end_is_corrupt_not_truncated(whole_files: dict[str, Path], tmp_path: Path, kind: str):
    path = copy_of(whole_files[kind], tmp_path)
    damage(path, 0.8, path.stat().st_size)
    assert reject(path).reason == "corrupt"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_header_alone_is_rejected(whole_files: dict[str, Path], tmp_path: Path, kind: str):
    path = tmp_path / f"a.{kind}"
    for n_bytes in (12, 60, 200, 1_000):
        path.write_bytes(whole_files[kind].read_bytes()[:n_bytes])
        assert reject(path).reason in ("truncated", "corrupt", "not_audio", "too_short")


@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg", "aac", "wav", "m4a", "aiff", "opus"])
def test_tags_and_junk_around_whole_audio_are_accepted(tmp_path: Path, kind: str):
    samples = music(5, 48_000)
    path = write(tmp_path / f"a.{kind}", samples, 48_000)
    content = path.read_bytes()
    before = ID3V2 if kind in ("mp3", "flac", "aac") else b""
    for after in (ID3V1, APE + ID3V1, np.random.default_rng(0).bytes(3000)):
        path.write_bytes(before + content + after)
        assert_same_sound(kind, decode(path), samples, 48_000)
