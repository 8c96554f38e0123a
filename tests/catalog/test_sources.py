"""The config of a source, and the files of a folder: order, hidden files, links, and faults of a folder."""

import os
import re
from pathlib import Path

import pytest

from audioae.catalog.folder import list_folder
from audioae.catalog.sources import CatalogConfig, require_source
from audioae.config import parse_config
from audioae.errors import ConfigError
from tests.catalog.made import scan_rows, write


def relative(folder: Path) -> list[str]:
    return sorted(list_folder(CatalogConfig(source=str(folder))).listing["relative"])


def test_hidden_files_and_other_files_are_skipped(tmp_path: Path):
    names = ["b/2.wav", "b/1.FLAC", "a.wav", ".hidden.wav", ".folder/c.wav", "b/._1.wav", "cover.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert relative(tmp_path) == ["a.wav", "b/1.FLAC", "b/2.wav"]


def test_links_never_list_a_folder_twice(tmp_path: Path):
    outside = write(tmp_path / "outside" / "o.wav", 1).parent
    (outside / "back").symlink_to(tmp_path)
    music = write(tmp_path / "music" / "album" / "a.wav").parent.parent
    (music / "loop").symlink_to(music)
    (music / "album" / "up").symlink_to(music / "album")
    (music / "again").symlink_to(music / "album")
    (music / "linked").symlink_to(outside)
    (music / "linked twice").symlink_to(outside)
    (music / "file.wav").symlink_to(outside / "o.wav")
    (music / "gone.wav").symlink_to(outside / "no such.wav")
    assert relative(music) == ["album/a.wav", "file.wav", "gone.wav", "linked/o.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_an_unreadable_folder_is_skipped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write(tmp_path / "a.wav")
    closed = write(tmp_path / "closed" / "b.wav").parent
    closed.chmod(0)
    try:
        assert relative(tmp_path) == ["a.wav"]
    finally:
        closed.chmod(0o755)
    assert "skipped 1 folders that cannot be read" in caplog.text


def test_a_missing_folder_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"folder not found: .*/nowhere\. Expected a folder of audio files"):
        list_folder(CatalogConfig(source=str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("list.m3u8", "A playlist: name the folder of its files"),
        ("list.M3U", "A playlist: name the folder of its files"),
        ("tracks.xlsx", "A spreadsheet: save it as CSV"),
        ("tracks.json", "Write one object per line, and call the file .jsonl"),
        ("tracks.txt", "Call a list of paths .csv, with `path` as its first line"),
        ("music.zip", "An archive: unpack it"),
        ("song.mp3", "A file of audio: name its folder"),
        ("tracks", "Expected a folder of audio files, or a manifest: .csv, .tsv, .jsonl"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused_by_name(tmp_path: Path, name: str, advice: str):
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=rf"{re.escape(name)} is a file that is not read .*{re.escape(advice)}"):
        require_source(CatalogConfig(source=str(tmp_path / name)))


def test_an_empty_folder_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no audio files in .*: found no files; expected .*\.flac"):
        list_folder(CatalogConfig(source=str(tmp_path)))


def test_a_folder_without_audio_is_an_error_that_counts_its_files(tmp_path: Path):
    for name in ("a.jpg", "b.jpg", "c.txt", "README"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"found 2 \.jpg, 1 \.txt, 1 files without a suffix; expected"):
        list_folder(CatalogConfig(source=str(tmp_path)))


def test_labels_from_folder_names(tmp_path: Path):
    write(tmp_path / "top.wav")
    write(tmp_path / "rock" / "a.wav")
    write(tmp_path / "x" / "Unknown" / "b.wav")
    rows = scan_rows(tmp_path, label_from="folder")
    assert [(row["title"], row["label"]) for row in rows] == [("a", "rock"), ("top", None), ("b", None)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path_template": "{song}.mp3"}, r"path_template: .*\{song\} is not one of our columns: track_id"),
        ({"path_template": "{track_id:q}.mp3"}, r"path_template: "),
        ({"label_from": "folder"}, r"label_from: only for a folder"),
        ({"colums": {}}, r"colums: unknown key; did you mean 'columns'\?"),
        ({"columns": {"genre": "x"}}, r"columns\.genre"),
        ({"header_rows": 0}, r"header_rows: got 0"),
        ({"source": "music", "root": "x", "where": {"a": "b"}}, r"root, where: only for a manifest"),
    ],
)
def test_a_wrong_config_is_an_error_when_it_is_read(options: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        parse_config(CatalogConfig, {"source": "m.csv", **options}, "pipeline.yaml")
