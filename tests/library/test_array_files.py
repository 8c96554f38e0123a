"""What is derived once is mapped afterwards, and kept in memory where no disk can be written."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from audioae.errors import StoreError
from audioae.library.array_files import ArrayFiles, FilesInMemory, MappedFiles, derived_files, write_table

ARRAYS = {
    "long": np.arange(10_000, dtype=np.int32),
    "short": np.array([1.5, np.nan]),
    "none": np.empty(0, np.float32),
    "texts": np.array([b"a", b"bcd"]),
}
TABLE = pa.table({"text": ["a", None, "é"], "list": [["x"], None, []]})


def write(files: ArrayFiles) -> None:
    for name, array in ARRAYS.items():
        files.write(name, array)
    write_table(files, "table", TABLE)
    write_table(files, "empty", TABLE.slice(0, 0))


def check(files: ArrayFiles) -> None:
    for name, array in ARRAYS.items():
        assert name in files
        assert files.array(name).dtype == array.dtype
        np.testing.assert_array_equal(files.array(name), array)
    assert "missing" not in files
    assert files.table("table").equals(TABLE)
    assert files.table("empty").num_rows == 0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_was_written_is_read(cache: Path):
    check(derived_files("kind-1", ["a"], write, cache=True))
    check(derived_files("kind-1", ["a"], lambda _: pytest.fail("it exists"), cache=True))
    check(derived_files("kind-1", ["a"], write, cache=False))
    assert len(list(cache.glob("kind-*"))) == 1
    derived_files("kind-1", ["b"], write, cache=True)
    derived_files("kind-2", ["a"], write, cache=True)
    assert len(list(cache.glob("kind-*"))) == 3


def test_what_is_not_cached_is_mapped_and_leaves_no_folder(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    files = derived_files("kind-1", ["a"], write, cache=False)
    assert isinstance(files, MappedFiles), "not in memory"
    array = files.array("long")
    del files
    assert not list(tmp_path.iterdir())
    assert array[-1] == 9_999


def test_a_mapped_file_outlives_its_folder(cache: Path):
    files = derived_files("kind-1", ["a"], write, cache=True)
    assert isinstance(files, MappedFiles)
    array, table = files.array("long"), files.table("table")
    for path in [*cache.glob("*/*"), *cache.iterdir()]:
        path.unlink() if path.is_file() else path.rmdir()
    assert np.array_equal(array, ARRAYS["long"])
    assert table.equals(TABLE)


def test_without_a_writable_cache_everything_is_in_memory(monkeypatch: pytest.MonkeyPatch, caplog):
    monkeypatch.setenv("AUDIOAE_CACHE", "/proc/nowhere")
    with caplog.at_level(logging.WARNING):
        files = derived_files("kind-1", ["a"], write, cache=True)
    assert isinstance(files, FilesInMemory)
    check(files)
    assert "kind-1: kept in memory, because the cache folder cannot be written" in caplog.text


def test_a_store_that_cannot_be_read_is_no_reason_to_try_again(cache: Path):
    def fail(files: ArrayFiles) -> None:
        raise StoreError("damaged")

    with pytest.raises(StoreError, match="damaged"):
        derived_files("kind-1", ["a"], fail, cache=True)
