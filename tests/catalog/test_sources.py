"""The config of a source: what it may be, and which options fit."""

import re
from pathlib import Path

import pytest

from audioae.catalog.sources import CatalogConfig, require_source
from audioae.config import parse_config
from audioae.errors import ConfigError
from tests.catalog.made import scan_rows, write


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


def test_labels_from_folder_names(tmp_path: Path):
    write(tmp_path / "top.wav")
    write(tmp_path / "rock" / "a.wav")
    write(tmp_path / "x" / "Unknown" / "b.wav")
    rows = scan_rows(tmp_path, label_from="folder")
    assert [(row["title"], row["label"]) for row in rows] == [("a", "rock"), ("top", None), ("b", None)]


def test_only_settings_of_reading_make_known_files_be_read_again():
    config = CatalogConfig(source="/music")
    before = config.model_dump(mode="json", exclude={"max_loss"})
    for options in ({"exclude": ["a"]}, {"video": True}, {"extensions": ["mp3"]}, {"max_loss": 1}, {"min_shards": 2}):
        assert CatalogConfig.model_validate({"source": "/music", **options}).reads_as(before), options
    for options in (
        {"label_from": "folder"},
        {"tag_encoding": "cp1251"},
        {"label_separators": "/"},
        {"source": "m.csv"},
    ):
        assert not CatalogConfig.model_validate({"source": "/music", **options}).reads_as(before), options
    assert not config.reads_as({"source": "/music", "label_from": "tags"}), "an older version read less"


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
