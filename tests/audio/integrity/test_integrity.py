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


@ALL_CONFIGS
@pytest.mark.parametrize("n_bytes", [2_000, 20_000])
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("wav", "aiff")])
def test_damage_in_the_middle_is_rejected_with_its_position(
    whole_files: dict[str, Path], tmp_path: Path, kind: str, n_bytes: int, config: DecodeConfig
):
    path = copy_of(whole_files[kind], tmp_path)
    if kind == "flac":
        n_bytes *= 10  # its frames are ten times as large
    damage(path, 0.6, n_bytes)
    error = reject(path, config)
    assert error.reason == "corrupt"
    at_s = float(re.match(r"at ([\d.]+) s", error.detail).group(1))  # type: ignore  # None fails
    assert at_s == pytest.approx(18, abs=1.5)


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
