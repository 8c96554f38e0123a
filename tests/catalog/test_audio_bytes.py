"""The hash of a file's audio: it survives every edit of tags, and nothing else."""

import shutil
import struct
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen import apev2, id3

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import extract
from audioae.catalog.audio_bytes import hash_audio

SUFFIXES = ("mp3", "flac", "ogg", "opus", "m4a", "aac", "wav", "aiff")


def wave(seconds: float = 1.5, hz: float = 440) -> np.ndarray:
    t = np.arange(int(44100 * seconds)) / 44100
    return 0.3 * np.sin(2 * np.pi * hz * t) + 0.01 * np.random.default_rng(0).standard_normal(len(t))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each suffix with the same sound."""
    import av

    folder = tmp_path_factory.mktemp("audio")
    for suffix, subtype in (("wav", "PCM_16"), ("aiff", "PCM_16"), ("flac", "PCM_16"), ("mp3", "MPEG_LAYER_III")):
        soundfile.write(folder / f"a.{suffix}", wave(), 44100, subtype=subtype)
    for suffix, subtype in (("ogg", "VORBIS"), ("opus", "OPUS")):
        soundfile.write(folder / f"a.{suffix}", wave(), 48000, format="OGG", subtype=subtype)
    for suffix, container in (("m4a", "ipod"), ("aac", "adts")):
        with av.open(str(folder / f"a.{suffix}"), "w", format=container) as out:
            stream = out.add_stream("aac", rate=44100, layout="mono")
            frame = av.AudioFrame.from_ndarray(wave().astype(np.float32)[None], format="fltp", layout="mono")
            frame.sample_rate = 44100
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return folder


def edit_tags(path: Path, text: str) -> None:
    if path.suffix == ".aac":
        tags = id3.ID3()
        tags.add(id3.TIT2(encoding=3, text=[text]))
        tags.save(path)
        return
    file: Any = mutagen.File(path)  # pyright: ignore[reportPrivateImportUsage]
    if file.tags is None:
        file.add_tags()
    if path.suffix in (".mp3", ".wav", ".aiff"):
        file["TIT2"] = id3.TIT2(encoding=3, text=[text])
    else:
        file["\xa9nam" if path.suffix == ".m4a" else "title"] = [text]
    file.save()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("text", ["x", "y" * 70_000], ids=["short", "70 kB"])
def test_an_edit_of_tags_changes_neither_the_hash_nor_the_clips(files: Path, tmp_path: Path, suffix: str, text: str):
    path = Path(shutil.copy(files / f"a.{suffix}", tmp_path))
    before, content = hash_audio(path), path.read_bytes()
    edit_tags(path, text)
    assert path.read_bytes() != content
    assert before is not None
    assert len(before) == 32
    assert hash_audio(path) == before
    untagged, tagged = (extract(p, ClipConfig(), DecodeConfig()).codes for p in (files / f"a.{suffix}", path))
    assert np.array_equal(untagged, tagged)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_changed_byte_of_audio_changes_the_hash(files: Path, tmp_path: Path, suffix: str):
    content = bytearray((files / f"a.{suffix}").read_bytes())
    content[2 * len(content) // 3] ^= 0x10
    path = tmp_path / f"b.{suffix}"
    path.write_bytes(content)
    assert hash_audio(path) != hash_audio(files / f"a.{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_short_has_another_hash_or_none(files: Path, tmp_path: Path, suffix: str):
    content = (files / f"a.{suffix}").read_bytes()
    path = tmp_path / f"b.{suffix}"
    path.write_bytes(content[: len(content) * 2 // 3])
    assert hash_audio(path) != hash_audio(files / f"a.{suffix}")


ID3V1 = b"TAG" + bytes(125)
LYRICS = b"LYRICSBEGININD00003110" + b"LYR00005hello"
TAGS_BEHIND = {
    "ID3v1": ID3V1,
    "ID3v1 extended": b"TAG+" + bytes(223) + ID3V1,
    "Lyrics3v1 and ID3v1": b"LYRICSBEGINhello wordsLYRICSEND" + ID3V1,
    "Lyrics3v2": LYRICS + b"%06dLYRICS200" % len(LYRICS),
    "ID3v2 at the end": b"ID3\x04\0\x10\0\0\0\x14" + bytes(20) + b"3DI\x04\0\x10\0\0\0\x14",
    "three at once": LYRICS + b"%06dLYRICS200" % len(LYRICS) + ID3V1,
}


@pytest.mark.parametrize("name", TAGS_BEHIND)
def test_tags_behind_an_mp3_are_not_hashed(files: Path, tmp_path: Path, name: str):
    path = tmp_path / "b.mp3"
    path.write_bytes((files / "a.mp3").read_bytes() + TAGS_BEHIND[name])
    assert hash_audio(path) == hash_audio(files / "a.mp3")


def test_an_ape_tag_on_an_mp3_is_not_hashed(files: Path, tmp_path: Path):
    path = Path(shutil.copy(files / "a.mp3", tmp_path / "b.mp3"))
    tag = apev2.APEv2()
    tag["Title"] = "x" * 1000
    tag.save(path)
    assert hash_audio(path) == hash_audio(files / "a.mp3")


def test_text_chunks_of_a_wav_are_not_hashed_and_others_are(files: Path, tmp_path: Path):
    content = (files / "a.wav").read_bytes()
    hashes = []
    for chunk in (b"LIST" + struct.pack("<I", 18) + b"INFOINAM" + struct.pack("<I", 5) + b"title\0", b"xyzw\2\0\0\0ab"):
        path = tmp_path / "b.wav"
        path.write_bytes(content[:12] + chunk + content[12:])
        hashes.append(hash_audio(path))
    assert hashes[0] == hash_audio(files / "a.wav")
    assert hashes[1] not in (None, hash_audio(files / "a.wav"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
        b"ID3\x04\0\0\xff\xff\xff\xff" + b"\xff\xfb",
        b"fLaC\x80\0\0",
        b"fLaC",
        b"OggS\0\2",
        b"\0\0\0\x08ftyp\0\0\0\x04moov",
        b"\0\0\0\x08ftyp\0\0\0\x10moov\0\0\0\x01trak",
        b"RIFF\0\0\0\0WAVE" + b"data\0\0\0\1" * 20_000,
    ],
)
def test_damage_and_other_formats_have_no_hash(tmp_path: Path, content: bytes):
    path = tmp_path / "bad"
    path.write_bytes(content)
    hash_audio(path)  # never an exception
    if not content.startswith(b"RIFF"):
        assert hash_audio(path) is None


def test_a_missing_file_and_a_folder_have_no_hash(tmp_path: Path):
    assert hash_audio(tmp_path / "none.mp3") is None
    assert hash_audio(tmp_path) is None


def test_random_changes_never_raise(files: Path, tmp_path: Path):
    rng = np.random.default_rng(3)
    path = tmp_path / "bad"
    for suffix in SUFFIXES:
        content = (files / f"a.{suffix}").read_bytes()
        for _ in range(60):
            changed = bytearray(content)
            for at in rng.integers(0, min(len(content), 3000), 4):
                changed[at] = rng.integers(0, 256)
            path.write_bytes(changed[: rng.integers(1, len(changed))])
            hash_audio(path)
