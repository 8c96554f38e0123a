"""A kill -9 at any moment and a rerun give byte for byte what an undisturbed run gives."""

import json
import multiprocessing
import os
import random
import signal
import time
from itertools import count
from pathlib import Path

from audioae.store.dataset import Store
from audioae.store.upkeep import PUBLISHED
from tests.chain import run_configured

KILLS = 24


CONTEXT = multiprocessing.get_context("forkserver")


def start(config: str, overrides: list[str]):
    """The chain in a process of its own; the fork server has the imports done, so that kills hit work."""
    process = CONTEXT.Process(target=run_configured, args=(config, overrides))
    process.start()
    return process


def published(root: Path) -> dict[str, bytes]:
    """Every object that a current version names, but for what holds timings."""
    store = Store(str(root))
    content = {}
    for dataset in PUBLISHED:
        ref = store.require(dataset)
        manifest = store.manifest(ref)
        names = [f"parts/{part.name}" for part in manifest.parts if not part.derived]
        content.update({f"{dataset}/{name}": (root / dataset / name).read_bytes() for name in names})
        content[f"{dataset}/LATEST"] = ref.version.encode()
        sums = [part.model_dump() for part in manifest.parts if not part.derived]
        content[f"{dataset}/manifest"] = json.dumps({**manifest.model_dump(), "parts": sums}, sort_keys=True).encode()
    return content


def test_killed_and_rerun_is_byte_for_byte_the_undisturbed_run(tiny_config, tmp_path: Path):
    path, overrides = tiny_config
    CONTEXT.set_forkserver_preload(["tests.chain", "lightning.fabric"])
    imports = CONTEXT.Process(target=str)
    imports.start()
    imports.join(120)
    begin = time.monotonic()
    reference = start(path, [*overrides, f"store={tmp_path / 'undisturbed'}"])
    reference.join(300)
    duration = time.monotonic() - begin
    assert reference.exitcode == 0
    wanted = published(tmp_path / "undisturbed")

    moments = random.Random(7)
    killed = 0
    for number in count():
        root = tmp_path / f"killed-{number}"
        arguments = [*overrides, f"store={root}"]
        while True:
            parts = _parts(root)
            process = start(path, arguments)
            process.join(moments.uniform(0.05, 0.6) * duration)
            if process.exitcode is None:
                os.kill(process.pid or 0, signal.SIGKILL)
                process.join(30)
            assert process.exitcode in (0, -signal.SIGKILL), "it failed by itself"
            finished = process.exitcode == 0  # it may have ended between the look and the kill
            killed += not finished
            now = _parts(root)
            assert [name for name, inode in parts.items() if now.get(name) != inode] == [], "a part was written again"
            if finished:
                break
        got = published(root)
        assert got.keys() == wanted.keys()
        assert [name for name in wanted if got[name] != wanted[name]] == []
        if killed >= KILLS:
            break
    assert number >= 1, "one store only: the moments were not spread over the run"


def _parts(root: Path) -> dict[str, int]:
    """The inode of each part; one that is written again gets another."""
    return {str(path): path.stat().st_ino for path in root.glob("*/parts/*.parquet")}
