"""A scan that is killed goes on where it was; one of an unchanged source ends when it is listed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioae.catalog import files
from audioae.catalog import scan as scan_module
from audioae.catalog.scan import CatalogConfig
from audioae.errors import ConfigError
from audioae.pipeline.tracks import update_tracks
from audioae.store.dataset import Store
from tests.catalog.made import write, write_csv

N_FILES, CHUNK = 40, 8

# Scans with small chunks, and appends the name of each file that it hashes to a file.
SCAN = """
import sys, time
from pathlib import Path
from audioae.catalog import files, scan
from audioae.catalog.scan import CatalogConfig
from audioae.pipeline.tracks import update_tracks
from audioae.store.dataset import Store

root, slow = Path(sys.argv[1]), sys.argv[2] == "slow"
hash_audio = files.hash_audio

def counting(path):
    with open(root / "hashed", "a") as file:
        print(Path(path).name, file=file)
    if slow:
        time.sleep(0.1)
    return hash_audio(path)

files.hash_audio, scan.CHUNK = counting, 8
print(update_tracks(Store(str(root / "store")), CatalogConfig(source=str(root / "music"))))
"""


def hashed(root: Path) -> list[str]:
    return (root / "hashed").read_text().split() if (root / "hashed").exists() else []


def saved(root: Path) -> list[Path]:
    return sorted((root / "store" / "scans" / "parts").glob("*.parquet"))


def scan(root: Path, how: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", SCAN, str(root), how], stdout=subprocess.PIPE, text=True)


def test_a_killed_scan_reads_no_file_of_a_finished_chunk_again_unless_it_changed(tmp_path: Path):
    for i in range(N_FILES):
        write(tmp_path / "music" / f"{i:02d}.wav", i)
    process = scan(tmp_path, "slow")
    deadline = time.monotonic() + 300
    while len(saved(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = [os.path.basename(path) for part in saved(tmp_path) for path in _paths(part)]
    assert len(done) >= 2 * CHUNK
    assert not Store(str(tmp_path / "store")).latest("tracks"), "nothing was published"
    first = hashed(tmp_path)
    assert len(set(first) - set(done)) <= 2 * CHUNK, "what was lost is less than two chunks"
    (tmp_path / "hashed").unlink()
    write(tmp_path / "music" / done[0], 99)
    write(tmp_path / "music" / "a-new-one.wav", 77)
    out, _ = scan(tmp_path, "fast").communicate()
    names = {f"{i:02d}.wav" for i in range(N_FILES)} | {"a-new-one.wav"}
    assert sorted(hashed(tmp_path)) == sorted(names - set(done[1:])), "the others, the new one, and the changed one"
    assert saved(tmp_path) == [], "what was kept is deleted"
    fresh = Store(str(tmp_path / "fresh"))
    tracks = update_tracks(fresh, CatalogConfig(source=str(tmp_path / "music")))
    assert out.strip() == str(tracks), "the same catalog as without the kill"


def _paths(part: Path) -> list[str]:
    return [os.fsdecode(path) for path in pq.read_table(part, columns=["path"])["path"].to_pylist()]


def test_a_scan_of_an_unchanged_folder_ends_when_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for i in range(3):
        write(tmp_path / "music" / f"{i}.wav", i)
    store, config = Store(str(tmp_path / "store")), CatalogConfig(source=str(tmp_path / "music"))
    first = update_tracks(store, config)
    calls: list[tuple[int, int]] = []
    with monkeypatch.context() as unchanged:
        unchanged.setattr("audioae.pipeline.tracks.load_known", lambda *_: pytest.fail("the catalog is read"))
        assert update_tracks(store, config, lambda *progress: calls.append(progress)) == first
    assert calls == [(3, 3)]
    os.utime(tmp_path / "music" / "0.wav", (1, 1))
    assert update_tracks(store, config) != first


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for i in range(2):
        write(tmp_path / "music" / f"{i}.wav", i)
    store, config = Store(str(tmp_path / "store")), CatalogConfig(source=str(tmp_path / "music"))
    read = files._read

    def failing(path: str, file: files.File) -> files.File:
        return file._replace(problem="Stale file handle") if path.endswith("1.wav") else read(path, file)

    with monkeypatch.context() as stale:
        stale.setattr(files, "_read", failing)
        first = update_tracks(store, config)
    assert store.read(first)["content_hash"].null_count == 1
    assert store.read(update_tracks(store, config))["content_hash"].null_count == 0


def test_settings_that_change_no_row_give_no_new_version(tmp_path: Path):
    write(tmp_path / "music" / "0.wav")
    store = Store(str(tmp_path / "store"))
    first = update_tracks(store, CatalogConfig(source=str(tmp_path / "music")))
    other = CatalogConfig(source=str(tmp_path / "music"), exclude=("nothing",), shard_tracks=512)
    assert update_tracks(store, other) == first


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_manifest_with_hashes_stands_for_its_files(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch):
    columns = {
        "path": [f"/no such folder/{i}.mp3" for i in range(4)],
        "sum": ["aa", "bb", "aa", "cc"],
        "bytes": [10, 11, 10, 12],
        "duration_s": [1.5, 2.5, 1.5, 3.5],
    }
    source = tmp_path / f"m.{suffix}"
    if suffix == "csv":
        rows = zip(*columns.values(), strict=True)
        write_csv(source, ",".join(columns), *(",".join(map(str, row)) for row in rows))
    else:
        pq.write_table(pa.table(columns), source)
    names = {"content_hash": "sum", "size_bytes": "bytes", "duration_s": "duration_s"}
    store, config = (
        Store(str(tmp_path / "store")),
        CatalogConfig.model_validate({"source": str(source), "columns": names}),
    )
    monkeypatch.setattr(scan_module, "read_files", lambda *_: pytest.fail("a file is read"))
    monkeypatch.setattr("audioae.catalog.listing.stat_files", lambda _: pytest.fail("a file is looked at"))
    first = update_tracks(store, config)
    rows = sorted(store.read(first).to_pylist(), key=lambda row: row["uri"])
    assert [row["content_hash"] for row in rows] == ["aa", "bb", "aa", "cc"]
    assert [row["size_bytes"] for row in rows] == [10, 11, 10, 12]
    assert [row["duration_s"] for row in rows] == [1.5, 2.5, 1.5, 3.5]
    assert sum(row["duplicate_of"] is not None for row in rows) == 1
    monkeypatch.setattr("audioae.pipeline.tracks.list_source", lambda *_: pytest.fail("the manifest is read"))
    assert update_tracks(store, config) == first


def test_a_row_of_a_manifest_without_a_hash_is_read(tmp_path: Path):
    path = write(tmp_path / "a.wav")
    rows = ["path,content_hash", f"{path},", "/no such folder/b.wav,bb"]
    config = CatalogConfig(source=str(write_csv(tmp_path / "m.csv", *rows)), columns={"content_hash": "content_hash"})
    store = Store(str(tmp_path / "store"))
    by_title = {row["title"]: row for row in store.read(update_tracks(store, config)).to_pylist()}
    assert by_title["b"]["content_hash"] == "bb"
    assert (len(by_title["a"]["content_hash"]), by_title["a"]["duration_s"]) == (32, 1.0)


def test_a_column_of_hashes_that_is_not_named_is_not_used(tmp_path: Path):
    path = write(tmp_path / "a.wav")
    source = str(write_csv(tmp_path / "m.csv", "path,content_hash", f"{path},aa"))
    store = Store(str(tmp_path / "store"))
    (row,) = store.read(update_tracks(store, CatalogConfig(source=source))).to_pylist()
    assert row["content_hash"] != "aa"
    with pytest.raises(ValueError, match="columns: size_bytes: only together with content_hash"):
        CatalogConfig(source=source, columns={"size_bytes": "bytes"})
    write_csv(Path(source), "path,content_hash,bytes", f"{path},aa,many")
    config = CatalogConfig(source=source, columns={"content_hash": "content_hash", "size_bytes": "bytes"})
    with pytest.raises(ConfigError, match=r"catalog.columns.size_bytes: .*wanted integers; .*many"):
        update_tracks(store, config)
