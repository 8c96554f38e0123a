"""MPEG audio: streams joined end to end."""

from pathlib import Path

import pytest

from tests.audio.decoding import (
    ID3V1,
    ID3V2,
    decode,
)
from tests.audio.made import music, write


def test_mp3s_joined_end_to_end_are_accepted(tmp_path: Path):
    content = write(tmp_path / "a.mp3", music(5)).read_bytes()
    path = tmp_path / "b.mp3"
    frames = content[content.index(b"\xff\xfb", 100) :]
    path.write_bytes(frames + ID3V1 + ID3V2 + frames)
    assert decode(path).health["duration_s"] == pytest.approx(10, abs=0.2)
