"""Tags of audio files, in every format."""

import os
from pathlib import Path
from typing import Any

import mutagen
import mutagen.id3
import pytest
from mutagen.flac import FLAC

from audioae.catalog.tags import Tags, read_tags
from tests.catalog.made import write


def read(path: Path, encoding: str | None = None) -> Tags:
    with open(path, "rb") as file:
        return read_tags(file, encoding)


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".opus", ".wav", ".aiff", ".m4a"])
def test_reads_all_tags_of_every_format(tmp_path: Path, suffix: str):
    path = write(tmp_path / f"a{suffix}")
    file: Any = mutagen.File(path, easy=True)  # type: ignore[attr-defined] - it does not export what it documents
    if file.tags is None:
        file.add_tags()
    tags: Any = file.tags
    if isinstance(tags, mutagen.id3.ID3):
        frames = {"TIT2": "Tïtle", "TPE1": "Ärtist", "TALB": "Album", "TCON": "(8)", "TDRC": "1999-02"}
        for frame, text in frames.items():
            tags.add(getattr(mutagen.id3, frame)(encoding=3, text=text))
    else:
        tags.update({"title": "Tïtle", "artist": "Ärtist", "album": "Album", "genre": "Jazz", "date": "1999-02"})
    file.save()
    *claims, duration_s, _, _ = read(path)
    assert claims == ["Tïtle", ["Ärtist"], "Album", ["Jazz"], 1999]
    assert duration_s == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("label", ["", " ", "unknown", "Unknown", "N/A", "none", "-"])
def test_a_label_without_meaning_is_none(tmp_path: Path, label: str):
    file = FLAC(write(tmp_path / "a.flac"))
    file.update({"genre": label, "title": " "})
    file.save()
    tags = read(tmp_path / "a.flac")
    assert (tags.genres, tags.title) == (None, None)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp3", b""),
        ("garbage.flac", os.urandom(5000)),
        ("id3.mp3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(50)),
    ],
)
def test_a_broken_file_has_no_tags(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == Tags()
