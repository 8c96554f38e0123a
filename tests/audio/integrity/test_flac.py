"""FLAC: coded frame numbers, and damage inside one frame."""

from pathlib import Path

import pytest

from audioae.audio.config import DecodeConfig
from audioae.audio.integrity.flac import _utf8_coded, _utf8_number
from tests.audio.decoding import (
    copy_of,
    decode,
    reject,
)
from tests.audio.made import damage


def test_numbers_are_coded_as_utf8_beyond_unicode():
    for number in (0, 127, 128, 2047, 2048, 65_535, 65_536, 1 << 21, 1 << 26, (1 << 31) - 1, 1 << 31, (1 << 36) - 1):
        assert _utf8_number(_utf8_coded(number) + b"xx") == number
    assert _utf8_coded(0x20AC) == "€".encode()


def test_damage_inside_one_frame_is_found_by_its_checksum(whole_files: dict[str, Path], tmp_path: Path):
    path = copy_of(whole_files["flac"], tmp_path)
    damage(path, 0.6, 100)
    health = decode(path).health
    assert health["missing_s"] == pytest.approx(0.085, abs=0.03)  # one frame of 4,096 samples at 48 kHz
    assert reject(path, DecodeConfig(max_missing=0, whole_up_to_s=1e9)).reason == "corrupt"
