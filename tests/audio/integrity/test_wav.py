"""Wav and its relatives: the data chunk tells the length; damage of PCM leaves no trace."""

from pathlib import Path

import pytest

from audioae.audio.config import ClipConfig
from audioae.audio.decode import decode_track
from audioae.audio.integrity import inspect
from audioae.errors import AudioError
from tests.audio.decoding import WHOLE, copy_of
from tests.audio.made import damage, music, write
from tests.audio.strange import write_libsndfile


@pytest.mark.parametrize("kind", ["wav", "aiff"])
def test_damage_in_plain_pcm_leaves_no_trace(whole_files: dict[str, Path], tmp_path: Path, kind: str):
    path = copy_of(whole_files[kind], tmp_path)
    damage(path, 0.6, 2_000)
    assert len(decode_track(path, ClipConfig(max_clips=8), WHOLE).clips) == 8


@pytest.mark.parametrize(("container", "kind"), [("RF64", "wav"), ("W64", "w64"), ("WAVEX", "wav")])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_the_length_is_that_of_the_data(tmp_path: Path, container: str, kind: str, subtype: str):
    path = tmp_path / "a.wav"
    write_libsndfile(path, music(2, 8000, 2), 8000, container, subtype)
    content = path.read_bytes()
    whole, half = inspect(content), inspect(content[: len(content) // 2])
    assert (whole.kind, whole.claimed_s, whole.found_s) == (kind, pytest.approx(2), pytest.approx(2))
    assert whole.damage is None
    assert half.missing_s == pytest.approx(1, abs=0.05)
    assert half.damage is not None


def test_more_chunks_than_any_file_has_are_no_audio(tmp_path: Path):
    content = write(tmp_path / "a.wav", music(1)).read_bytes()
    junk = (b"junk" + bytes(4)) * 100_001
    with pytest.raises(AudioError, match=r"corrupt: at 0\.0 s: more than 100,000 chunks"):
        inspect(content[:12] + junk + content[12:])
