"""Files of other systems: formats, delimiters, names of columns, and what is wrong with them."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioae.errors import ConfigError
from audioae.pipeline.alias_files import read_alias_file

ROWS = [
    {"external_id": "1", "title": 'A, "b"\nc', "artist": "é", "duration_s": 180.5},
    {"external_id": "2", "title": "B", "artist": None, "duration_s": None},
]
TEXT = 'external_id,unused,title,artist,duration_s\n1,x,"A, ""b""\nc", é ,180.5\n2,,B,,\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", TEXT.encode()),
        ("a.csv", b"\xef\xbb\xbf" + TEXT.encode()),
        ("a.csv", TEXT.replace(', ""b', "\x00").replace(",", ";").replace("\x00", ', ""b').encode()),
        ("a.CSV", TEXT.replace("\n2", "\r\n2").encode()),
        ("a.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("a.tsv", TEXT.replace(', ""b', "\x00").replace(",", "\t").replace("\x00", ', ""b').encode()),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS)).encode()),
        ("a.jsonl.gz", gzip.compress("\n".join(map(json.dumps, ROWS)).encode(), mtime=0)),
    ],
)
def test_formats(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    assert read_alias_file(str(tmp_path / name)).to_pylist() == ROWS


def test_numbers_of_parquet_are_texts_and_columns_have_other_names(tmp_path: Path):
    table = pa.table({"id": [7, 8], "isrc": pa.array(["x", ""]).dictionary_encode(), "length": [1.5, None]})
    pq.write_table(table, tmp_path / "a.parquet")
    names = {"external_id": "id", "duration_s": "length"}
    assert read_alias_file(str(tmp_path / "a.parquet"), names).to_pylist() == [
        {"external_id": "7", "isrc": "x", "duration_s": 1.5},
        {"external_id": "8", "isrc": None, "duration_s": None},
    ]


@pytest.mark.parametrize(
    ("content", "names", "message"),
    [
        ("id,path\n1,a\n", {}, "has no column 'external_id'.* Its columns: 'id', 'path'; `--column external_id=NAME`"),
        ("external_ids,path\n1,a\n", {}, "Did you mean 'external_ids'"),
        ("external_id,paths\n1,a\n", {"path": "pats"}, "has no column 'pats'. Did you mean 'paths'"),
        ("external_id,title\n1,a\n", {}, "nothing to find tracks by: wanted track_id, isrc, .* together"),
        ("external_id,path,path\n1,a,b\n", {}, "two columns are called 'path'; rename one"),
        ("external_id,path\n1,a\n,b\n", {}, "1 rows have no external_id, the first is row 2"),
        ("external_id,path\n", {}, "no rows"),
        ("", {}, "has no column 'external_id'"),
        ("external_id,path\n1,a,b\n", {}, "not readable as csv in UTF-8: .*Expected 2 columns, got 3"),
        ("external_id,path\n1,\udcff\n", {}, "not readable as csv in UTF-8"),
        ("external_id,path\n1,a\n", {"isr": "x"}, "no column 'isr' of aliases; wanted one of: external_id, track_id"),
        ("external_id,title,artist,duration_s\n1,a,b,3:05\n", {}, "duration_s: wanted seconds such as 185.2; .*3:05"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str, names: dict[str, str], message: str):
    (tmp_path / "a.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=message):
        read_alias_file(str(tmp_path / "a.csv"), names)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"", r"wanted a file \.csv, \.tsv, \.jsonl, \.parquet"),
        ("a.jsonl", b"[1, 2]", "not readable as jsonl"),
        ("a.parquet", b"no", "not readable as parquet"),
        ("a.csv.gz", b"no", "not readable|Not a gzipped"),
        ("absent/a.csv", None, "No such file"),
    ],
)
def test_other_files(tmp_path: Path, name: str, content: bytes | None, message: str):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_alias_file(str(tmp_path / name))
