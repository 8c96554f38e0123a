"""The temporary database: blocks in and out, order of paths, and what it says when the disk is full."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from audioae.catalog import database
from audioae.catalog.database import Database, decoded, encoded
from audioae.errors import ConfigError


def test_paths_are_ordered_like_strings_of_python(tmp_path: Path):
    paths = ["b", "a/\udcff", "a/\uffff", "a", "", "a/é", "a/\U0001f3b5"]
    with Database(tmp_path) as db:
        db.create("paths", pa.schema([("path", pa.binary()), ("note", pa.string())]))
        db.insert("paths", pa.table({"path": [encoded(path) for path in paths]}))
        blocks = list(db.stream("SELECT path FROM paths ORDER BY path", rows=3))
        assert db.value("SELECT count(*) FROM paths WHERE note IS NULL") == len(paths)
    assert [decoded(path) for block in blocks for path in block["path"].to_pylist()] == sorted(paths)
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_two_streams_and_an_insertion_at_once(tmp_path: Path):
    with Database(tmp_path) as db:
        db.run("CREATE TABLE a AS SELECT range AS i FROM range(50000)")
        db.run("CREATE TABLE b (i BIGINT)")
        pairs = zip(db.stream("SELECT i FROM a ORDER BY i"), db.stream("SELECT i FROM a ORDER BY -i"), strict=True)
        for up, down in pairs:
            assert (up["i"].to_numpy() + down["i"].to_numpy() == 49_999).all()
            db.insert("b", up)
        assert db.value("SELECT sum(i) FROM b") == sum(range(50_000))


def test_rows_beyond_the_memory_go_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "MEMORY_MB", 40)
    monkeypatch.setattr(database, "THREADS", 1)
    with Database(tmp_path) as db:
        db.run("CREATE TABLE wide AS SELECT range AS i, repeat(md5(range::VARCHAR), 4) AS text FROM range(600000)")
        ordered = [value for block in db.stream("SELECT i FROM wide ORDER BY text, i") for value in block["i"][:1]]
        assert len(ordered) == -(-600_000 // database.BLOCK)
        spilled = sum(path.stat().st_size for path in db.folder.rglob("*") if path.is_file())
        assert spilled > 40 << 20, "what the sort needs is more than the memory holds"


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "MEMORY_MB", 40)
    monkeypatch.setattr(database, "THREADS", 1)
    with Database(tmp_path) as db:
        db.run("SET max_temp_directory_size = '1MB'")
        with pytest.raises(ConfigError, match=r"sorts its tracks in files there.*free space, or set AUDIOAE_CACHE"):
            db.run("CREATE TABLE wide AS SELECT repeat(md5(range::VARCHAR), 4) AS text FROM range(900000)")


def test_a_cache_that_cannot_be_written_is_not_needed(tmp_path: Path):
    (tmp_path / "file").touch()
    with Database(tmp_path / "file" / "cache") as db:
        assert db.value("SELECT 1") == 1
    assert not db.folder.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('{file}')",
        "COPY (SELECT 1) TO '{file}'",
        "ATTACH '{file}'",
        "SET enable_external_access = true",
    ],
)
def test_no_statement_opens_a_file(tmp_path: Path, statement: str):
    file = tmp_path / "file.txt"
    file.write_text("kept")
    with Database(tmp_path) as db, pytest.raises(duckdb.Error, match=r"disabled by config|Cannot (enable|change)"):
        db.run(statement.format(file=file))
    assert file.read_text() == "kept"
