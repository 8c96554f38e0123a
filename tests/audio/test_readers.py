"""Readers: formats by content, exact seeks, and lengths that a header does not state."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tests.audio.decoding import (
    WHOLE,
    WINDOWS,
    assert_same_sound,
    decode,
    expected,
    reject,
)
from tests.audio.made import music, write


@pytest.mark.parametrize(
    ("kind", "named"), [("wav", "mp3"), ("mp3", "wav"), ("flac", "ogg"), ("m4a", "mp3"), ("ogg", "raw")]
)
def test_the_extension_of_a_file_does_not_matter(tmp_path: Path, kind: str, named: str):
    samples = music(4)
    decoded = decode(write(tmp_path / f"a.{named}", samples, kind=kind))
    assert_same_sound(kind, decoded, samples, 44_100)


@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_never_opened(tmp_path: Path):
    """Opening a fifo would wait for a writer for ever."""
    os.mkfifo(tmp_path / "fifo.wav")
    for path in (tmp_path / "fifo.wav", Path("/dev/zero")):
        error = reject(path)
        assert (error.reason, error.detail[:24]) == ("unreadable", "a fifo, socket or device")
    assert reject(tmp_path / "nothing.wav").detail.startswith("No such file")


def test_mp3_windows_equal_the_whole_at_a_low_variable_bit_rate(tmp_path: Path):
    """Here frames depend much on their predecessors: a reader that seeks between blocks has errors of 0.4."""
    path = tmp_path / "a.mp3"
    noise = np.random.default_rng(0).standard_normal(48_000 * 20).astype(np.float32) * 0.05
    with sf.SoundFile(path, "w", 48_000, 1, bitrate_mode="VARIABLE", compression_level=0.6) as file:
        file.write(music(20, 48_000, 1)[:, 0] + noise)
    at_once = sf.read(path, dtype="float32", always_2d=True)[0]
    for config in (WHOLE, WINDOWS):
        decoded = decode(path, config)
        np.testing.assert_allclose(decoded.clips, expected(at_once, 48_000, decoded.starts_s), atol=2e-6)


def test_vorbis_windows_of_real_recordings_equal_the_whole(real_recordings: Path):
    """libsndfile 1.2 lands at a wrong position after a seek in a Vorbis file that it has already decoded."""
    for path in sorted((real_recordings / "music").glob("*.ogg"))[3:6]:
        np.testing.assert_allclose(decode(path, WINDOWS).clips, decode(path).clips, atol=2e-6)


def set_wav_size(path: Path, size: int) -> None:
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = content[4:8] = size.to_bytes(4, "little")
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_without_a_size_is_read_to_its_end(tmp_path: Path, size: int):
    samples = music(5)
    path = write(tmp_path / "a.wav", samples)
    set_wav_size(path, size)
    assert_same_sound("wav", decode(path), samples, 44_100)


def test_an_mp3_of_variable_bit_rate_without_header_is_read_to_its_end(tmp_path: Path):
    """It begins loud and ends quiet, so a length estimated from the beginning is wrong by far."""
    samples = music(20)
    samples[5 * 44_100 :] *= 0.001
    noise = np.random.default_rng(0).standard_normal((5 * 44_100, 2)).astype(np.float32)
    samples[: 5 * 44_100] += 0.1 * noise
    path = tmp_path / "a.mp3"
    with sf.SoundFile(path, "w", 44_100, 2, bitrate_mode="VARIABLE", compression_level=0.3) as file:
        file.write(samples)
    content = path.read_bytes()
    path.write_bytes(content[content.index(b"\xff\xfb", 100) :])
    decoded = decode(path)
    assert decoded.health["claimed_s"] is None
    assert decoded.health["duration_s"] == pytest.approx(20, abs=0.1)
    assert decoded.clips[-1].std() > 0


JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + np.random.default_rng(3).bytes(30_000) + b"\xff\xd9"


NO_AUDIO = {
    "text": b"not audio at all\n" * 1000,
    "jpeg": JPEG,
    "random": np.random.default_rng(0).bytes(200_000),
    "zeros": bytes(50_000),
    "one byte": b"R",
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
}


@pytest.mark.parametrize("name", NO_AUDIO)
@pytest.mark.parametrize("extension", ["mp3", "wav", "m4a", "ogg", "flac", "txt"])
def test_rejects_content_that_is_not_audio(tmp_path: Path, name: str, extension: str):
    path = tmp_path / f"a.{extension}"
    path.write_bytes(NO_AUDIO[name])
    assert reject(path).reason == "not_audio"


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile a.flac\n", "#EXTM3U\n#EXTINF:2,\na.flac\n#EXT-X-ENDLIST\n"]
)
def test_rejects_a_list_of_other_files(tmp_path: Path, text: str):
    write(tmp_path / "a.flac", music(2))
    path = tmp_path / "list.wav"
    path.write_text(text)
    assert reject(path).reason == "not_audio"
