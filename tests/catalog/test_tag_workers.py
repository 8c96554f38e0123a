"""Tags that cost too much: each limit costs a file its tags, not its place, and the log says so."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from mutagen.flac import FLAC, Picture

from audioae.catalog import limited_tags, tag_workers
from audioae.catalog.limited_tags import LimitedFile, Reading
from audioae.catalog.scan import CatalogConfig
from audioae.catalog.tag_config import TagLimits
from audioae.catalog.tag_workers import read_all_tags
from audioae.catalog.tags import Tags, read_tags
from tests.catalog import unsafe_tags
from tests.catalog.made import scan, write

MB = 1 << 20


def titled(path: Path, title: str = "A") -> str:
    file = FLAC(write(path))
    file["title"] = title
    file.save()
    return str(path)


def read(*paths: str, encoding: str | None = None, **limits) -> list[Reading]:
    (readings,) = read_all_tags([paths], TagLimits(**limits), encoding)
    return readings


def test_readings_come_in_the_order_of_the_paths(tmp_path):
    paths = [titled(tmp_path / f"{i}.flac", f"T{i}") for i in range(5)]
    batches = list(read_all_tags([paths[:3], [], paths[3:]], TagLimits()))
    assert [[reading.tags.title for reading in batch] for batch in batches] == [["T0", "T1", "T2"], [], ["T3", "T4"]]


def empty_chunks(path: Path) -> str:
    """A wav of 10,000 empty chunks."""
    chunks = b"junk\0\0\0\0" * 10_000
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return str(path)


def free_boxes(path: Path) -> str:
    """An m4a of 10,000 empty boxes."""
    path.write_bytes(struct.pack(">I", 16) + b"ftypM4A \0\0\0\0" + (struct.pack(">I", 8) + b"free") * 10_000)
    return str(path)


def large_cover(path: Path) -> str:
    file, picture = FLAC(titled(path)), Picture()
    picture.data = bytes(3 * MB)
    file.add_picture(picture)
    file.save()
    return str(path)


def sparse_id3(path: Path) -> str:
    """An mp3 whose ID3 tag claims 200 MB, which the file has, as a hole."""
    size = 200 * MB
    with open(path, "wb") as file:
        file.write(b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)))
        file.truncate(size)
    return str(path)


@pytest.mark.parametrize(
    ("make", "name", "limits", "problem"),
    [
        (empty_chunks, "a.wav", {"reads": 2000}, "the file has more than 2,000 parts"),
        (free_boxes, "a.m4a", {"reads": 2000}, "the file has more than 2,000 parts"),
        (large_cover, "a.flac", {"read_mb": 2}, "more than 2 MB of the file belong to them"),
        (sparse_id3, "a.mp3", {}, "more than 64 MB of the file belong to them"),
        (
            sparse_id3,
            "a.mp3",
            {"read_mb": 300, "memory_mb": 64},
            "they need more memory than catalog.tag_limits.memory_mb",
        ),
    ],
)
def test_a_file_beyond_a_limit_loses_its_tags_only(tmp_path, caplog, make, name, limits, problem):
    path, good = make(tmp_path / name), titled(tmp_path / "good.flac", "Good")
    assert read(path, good, **limits) == [Reading(problem=problem), Reading(Tags(title="Good", duration_s=1.0))]
    assert f"the tags of 1 of 2 files were left out, for example of {path}: {problem}" in caplog.text


def test_a_hang_or_crash_costs_one_file_of_its_batch(monkeypatch, caplog):
    monkeypatch.setattr(tag_workers, "read_batch", unsafe_tags.read_batch)
    readings = read("a", "hang.flac", "b", "crash.flac", timeout_s=0.5)
    assert [reading.tags.title for reading in readings] == ["a", None, "b", None]
    assert [reading.may_pass for reading in readings] == [False, True, False, True]
    assert "no answer within 0.5 s" in str(readings[1].problem)
    assert "exit status 3" in str(readings[3].problem)
    assert "the tags of 2 of 4 files were left out, for example of hang.flac: no answer within 0.5 s" in caplog.text


def test_a_file_that_took_too_long_is_read_again_by_the_next_scan(tmp_path, monkeypatch):
    titled(tmp_path / "hang.flac", "Late")
    titled(tmp_path / "good.flac", "Good")
    config = CatalogConfig(source=str(tmp_path), tag_limits=TagLimits(timeout_s=0.5))
    with monkeypatch.context() as patch:
        patch.setattr(tag_workers, "read_batch", unsafe_tags.read_batch)
        first = scan(config)
    assert first["title"].to_pylist() == ["good.flac", "hang"]
    assert scan(config, first)["title"].to_pylist() == ["good.flac", "Late"]


def test_a_worker_that_reads_tags_loads_no_config():
    code = "import sys, audioae.catalog.limited_tags; sys.exit('pydantic' in sys.modules or 'pyarrow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_gone_or_a_disk_that_fails_may_pass(tmp_path, monkeypatch):
    assert read(str(tmp_path / "gone.mp3")) == [Reading(problem="No such file or directory", may_pass=True)]

    def failing(file: LimitedFile, encoding: str | None) -> Tags:
        os.dup2(os.open(tmp_path, os.O_RDONLY), file.fileno())  # a folder cannot be read
        return read_tags(file, encoding)

    monkeypatch.setattr(limited_tags, "read_tags", failing)
    (reading,) = limited_tags.read_batch([titled(tmp_path / "a.flac")], None, 64, 1000)
    assert reading == Reading(problem="Is a directory", may_pass=True)
