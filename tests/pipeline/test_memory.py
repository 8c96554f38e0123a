"""A shard goes through memory in blocks: what it needs does not depend on the number of its tracks."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("options", [[], ["nothing"]], ids=["stored mels", "decoding"])
def test_memory_does_not_depend_on_the_size_of_the_shard(options: list[str], tmp_path: Path):
    """200 and 800 tracks have 80 and 320 MB of mels; older versions needed 7 GB for 1,200."""
    peaks: dict[str, list[int]] = {"mels": [], "embeddings": []}
    for n in (200, 800):
        command = [sys.executable, "-m", "tests.pipeline.big_shard", str(tmp_path / str(n)), str(n)]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
        for what, _, peak, _ in map(str.split, done.stdout.splitlines()):
            peaks[what].append(int(peak))
    for small, large in filter(None, peaks.values()):
        assert large < small + 80, f"{peaks} MiB"
