"""Au and caf: the audio must fit into the file."""

from pathlib import Path

import pytest

from audioae.audio.integrity import inspect
from tests.audio.made import music
from tests.audio.strange import write_libsndfile


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("container", ["AU", "CAF"])
def test_half_a_file_misses_half_of_its_seconds(tmp_path: Path, container: str, subtype: str):
    path = tmp_path / "a.bin"
    write_libsndfile(path, music(2, 8000, 2), 8000, container, subtype)
    content = path.read_bytes()
    whole, half = inspect(content), inspect(content[: len(content) // 2])
    assert (whole.kind, whole.claimed_s, whole.found_s) == (container.lower(), 2, 2)
    assert (whole.damage, whole.missing_s) == (None, 0)
    assert half.missing_s == pytest.approx(1, abs=0.15)  # the header of a caf has 4 KB
    assert str(half.damage).endswith(
        f" of 2.0 s are in the file ({container.lower()}); download or copy the file again"
    )


def test_an_au_written_into_a_pipe_claims_nothing(tmp_path: Path):
    path = tmp_path / "a.au"
    write_libsndfile(path, music(2, 8000, 1), 8000, "AU", "ULAW")
    content = path.read_bytes()
    for size in (0, 0xFFFFFFFF):
        container = inspect(content[:8] + size.to_bytes(4, "big") + content[12:])
        assert (container.claimed_s, container.found_s) == (None, pytest.approx(2, abs=0.01))


def test_a_codec_of_packets_claims_nothing(tmp_path: Path):
    path = tmp_path / "a.caf"
    write_libsndfile(path, music(2, 44_100, 1), 44_100, "CAF", "ALAC_16")
    container = inspect(path.read_bytes())
    assert (container.kind, container.claimed_s, container.found_s) == ("caf", None, None)
