"""The cache of cuts is bounded, gives back what was put, and survives whatever happens to its folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from audioae.serve.cut_cache import CutCache

FILL = """
import sys, random
from pathlib import Path
from audioae.serve.cut_cache import CutCache
cache, who = CutCache(Path(sys.argv[1]), 1 << 20), sys.argv[2]
for i in range(200):
    key = f"{random.randrange(300)}"
    cache.put(key, {"key": key}, key.encode() * 5000)
    if (kept := cache.get(f"{random.randrange(300)}")):
        assert kept.content == kept.about["key"].encode() * 5000
"""


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_what_was_put_is_there(tmp_path):
    cache = CutCache(tmp_path / "cuts", 1 << 20)
    assert cache.get("a") is None
    put = cache.put("a", {"start_s": 1.5}, b"first line\nsecond")
    kept = CutCache(tmp_path / "cuts", 1 << 20).get("a")
    assert kept is not None
    assert (kept.about, kept.content) == (put.about, put.content) == ({"start_s": 1.5}, b"first line\nsecond")
    assert abs(kept.made_at - put.made_at) < 5


def test_the_least_recently_used_go_first(tmp_path):
    cache = CutCache(tmp_path, 100_000)
    for i in range(9):
        cache.put(f"{i}", {}, bytes(10_000))
        os.utime(tmp_path / f"{i}", (1000 + i, 1000 + i))
    assert cache.get("0") is not None
    assert (tmp_path / "0").stat().st_mtime == 1000  # when it was made
    for name in ("x", "y"):
        cache.put(name, {}, bytes(10_000))
    left = {path.name for path in tmp_path.iterdir()}
    assert {"0", "x", "y"} <= left
    assert not {"1", "2"} & left
    assert size_of(tmp_path) <= 100_000


def test_a_folder_that_is_gone_damaged_or_not_writable_costs_only_time(tmp_path, caplog):
    cache = CutCache(tmp_path / "cuts", 1 << 20)
    cache.put("a", {}, b"content")
    (tmp_path / "cuts" / "a").write_bytes(b"no json")
    assert cache.get("a") is None
    shutil.rmtree(tmp_path / "cuts")
    assert cache.get("a") is None
    assert cache.put("a", {}, b"content").content == b"content"
    assert cache.get("a") is not None
    (tmp_path / "file").touch()
    blocked = CutCache(tmp_path / "file", 1 << 20)
    for _ in range(2):
        assert blocked.put("a", {}, b"content").content == b"content"
    assert blocked.get("a") is None
    assert len(caplog.records) == 1
    assert "clips are not kept" in caplog.text


def test_processes_share_the_folder_and_its_bound(tmp_path):
    fillers = [subprocess.Popen([sys.executable, "-c", FILL, str(tmp_path), f"{i}"]) for i in range(3)]
    assert [filler.wait(60) for filler in fillers] == [0, 0, 0]
    assert size_of(tmp_path) <= (1 << 20) * (1 + 3 / 32)
