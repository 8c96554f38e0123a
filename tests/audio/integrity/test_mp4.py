"""mp4: a truncated file states its seconds if its index comes first; a header may end anywhere."""

import re
from pathlib import Path

import pytest

from audioae.audio.integrity import inspect
from audioae.errors import AudioError
from tests.audio.decoding import decode, reject


def test_a_truncated_mp4_with_its_index_first_states_its_seconds(whole_files: dict[str, Path], tmp_path: Path):
    content = whole_files["m4a"].read_bytes()
    moov = content.index(b"moov") - 4
    size = int.from_bytes(content[moov : moov + 4], "big")
    start = content.index(b"mdat") - 4
    path = tmp_path / "a.m4a"
    faststart = content[:start] + content[moov : moov + size] + content[start:moov]
    path.write_bytes(faststart[: len(faststart) // 2])
    assert re.match(r"about 1[45]\.\d of 30\.0 s", reject(path).detail)


def test_an_mp4_whose_last_box_is_cut_is_whole(whole_files: dict[str, Path], tmp_path: Path):
    path = tmp_path / "a.m4a"
    path.write_bytes(whole_files["m4a"].read_bytes() + (500).to_bytes(4, "big") + b"free" + bytes(100))
    health = decode(path).health
    assert (health["missing_s"], health["duration_s"]) == (0, pytest.approx(30, abs=0.05))


def test_an_mp4_that_ends_anywhere_in_its_index_is_truncated(whole_files: dict[str, Path]):
    content = whole_files["m4a"].read_bytes()
    head = content[: content.index(b"ftyp") - 4 + int.from_bytes(content[:4], "big")]
    moov = content[content.index(b"moov") - 4 :]
    for n in range(8, 140):
        with pytest.raises(AudioError) as caught:
            inspect(head + moov[:n])
        assert caught.value.reason == "truncated", n
