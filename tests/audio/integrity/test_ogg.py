"""Ogg: files without an end-of-stream mark."""

from pathlib import Path

import pytest

from audioae.audio.config import ClipConfig
from audioae.audio.decode import decode_track
from tests.audio.decoding import (
    WHOLE,
)


def test_a_recording_without_its_last_page_is_complete(whole_files: dict[str, Path], tmp_path: Path):
    content = whole_files["ogg"].read_bytes()
    path = tmp_path / "a.ogg"
    path.write_bytes(content[: content.rindex(b"OggS")])
    assert decode_track(path, ClipConfig(), WHOLE).health["duration_s"] == pytest.approx(30, abs=1)
