"""A server in processes of its own, to look at what they load."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from audioae.store.dataset import Store
from tests.processes import Run

READY = re.compile(r"^(http://127\.0\.0\.1:\d+) ", re.MULTILINE)


@contextmanager
def served_process(store: Store, folder: Path) -> Iterator[tuple[httpx.Client, int]]:
    """A client of an `audioae serve`, and the process ID of its one worker."""
    command = [sys.executable, "-m", "audioae", "serve", "--store", store.root, "--port", "0", "--no-access-log"]
    run = Run(command, folder / "log", TMPDIR=str(folder))
    try:
        run.wait_until(lambda: READY.search(run.printed))
        url = READY.search(run.printed)
        assert url
        own = [line.split(" ", 1) for line in run.processes() if "worker_process" not in line]
        (pid,) = [int(pid) for pid, _ in own if int(pid) != run.process.pid]
        with httpx.Client(base_url=url[1], timeout=120) as client:
            yield client, pid
    finally:
        run.process.terminate()
        run.process.wait(20)
