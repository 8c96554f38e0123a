"""Containers of chunks: PCM damage leaves no trace, and an mp4 states its seconds if its index comes first."""

import re
from pathlib import Path

import pytest

from audioae.audio.config import ClipConfig
from audioae.audio.decode import decode_track
from tests.audio.decoding import (
    WHOLE,
    copy_of,
    reject,
)
from tests.audio.made import damage


@pytest.mark.parametrize("kind", ["wav", "aiff"])
def test_damage_in_plain_pcm_leaves_no_trace(whole_files: dict[str, Path], tmp_path: Path, kind: str):
    path = copy_of(whole_files[kind], tmp_path)
    damage(path, 0.6, 2_000)
    assert len(decode_track(path, ClipConfig(max_clips=8), WHOLE).clips) == 8


def test_a_truncated_mp4_with_its_index_first_states_its_seconds(whole_files: dict[str, Path], tmp_path: Path):
    content = whole_files["m4a"].read_bytes()
    moov = content.index(b"moov") - 4
    size = int.from_bytes(content[moov : moov + 4], "big")
    start = content.index(b"mdat") - 4
    path = tmp_path / "a.m4a"
    faststart = content[:start] + content[moov : moov + size] + content[start:moov]
    path.write_bytes(faststart[: len(faststart) // 2])
    assert re.match(r"about 1[45]\.\d of 30\.0 s", reject(path).detail)
