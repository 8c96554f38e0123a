"""A run that is killed at any moment and rerun gives the same bytes as an uninterrupted run."""

import json
import multiprocessing
import os
import random
import signal
import time
from itertools import count
from pathlib import Path

import pytest

from audioae.store.dataset import Store
from audioae.store.upkeep import PUBLISHED
from tests.chain import run_configured

KILLS = int(os.environ.get("AUDIOAE_KILLS", "6"))  # `AUDIOAE_KILLS=100` for a soak test


CONTEXT = multiprocessing.get_context("forkserver")


def start(config: str, overrides: list[str]):
    """Run the chain in a child process; the fork server has done the imports, so that kills hit the work itself."""
    process = CONTEXT.Process(target=run_configured, args=(config, overrides))
    process.start()
    return process


def published(root: Path) -> dict[str, bytes]:
    """Read every object of the current versions, except those that contain timings."""
    store = Store(str(root))
    content = {}
    for dataset in PUBLISHED:
        ref = store.require(dataset)
        manifest = store.manifest(ref)
        names = [f"parts/{part.name}" for part in manifest.parts if not part.derived]
        content.update({f"{dataset}/{name}": (root / dataset / name).read_bytes() for name in names})
        content[f"{dataset}/LATEST"] = ref.version.encode()
        sums = [part.model_dump() for part in manifest.parts if not part.derived]
        described = manifest.model_dump(mode="json", exclude={"published_at"})
        content[f"{dataset}/manifest"] = json.dumps({**described, "parts": sums}, sort_keys=True).encode()
    return content


@pytest.mark.timeout(1200)
def test_a_killed_and_rerun_chain_gives_the_same_bytes(tiny_config, tmp_path: Path):
    path, overrides = tiny_config
    CONTEXT.set_forkserver_preload(["tests.chain", "lightning.fabric", "umap"])
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
            assert process.exitcode in (0, -signal.SIGKILL), "the run failed without being killed"
            finished = process.exitcode == 0  # it may have ended just before the kill
            killed += not finished
            now = _parts(root)
            assert [name for name, inode in parts.items() if now.get(name) != inode] == [], "a part was rewritten"
            if finished:
                break
        got = published(root)
        assert got.keys() == wanted.keys()
        assert [name for name in wanted if got[name] != wanted[name]] == []
        if number and killed >= KILLS:  # two stores at least, so that the kills are spread over the run
            break


def _parts(root: Path) -> dict[str, int]:
    """Return the inode of each part; a rewritten part has a different one."""
    return {str(path): path.stat().st_ino for path in root.glob("*/parts/*.parquet")}
