"""A real `audioae serve` and what it uses: CPU and memory of all its processes, from /proc.

Conventions
-----------
- CPU is in seconds, user and system. Memory is in MiB: the proportional set size (a page that n processes share counts
  1 / n for each), so that the processes of a server add up.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from audioae.serve.auth import hash_key, make_key

TICKS = os.sysconf("SC_CLK_TCK")
READY = re.compile(r"(http://127\.0\.0\.1:\d+)  (index@\w+)")


class Memory(NamedTuple):
    """What is mapped from the index, and all else; `anonymous`: what is mapped from no file."""

    index: float
    beside: float
    anonymous: float


class ServerProcess:
    """A running server.

    Attributes
    ----------
    url, index : str
    headers : dict
        With its admin key.
    started_s : float
        CPU seconds of all its processes until it was ready.
    """

    def __init__(self, process: subprocess.Popen, line: re.Match[str], key: str):
        self._process = process
        self.url, self.index = line.groups()
        self.headers = {"X-API-Key": key}
        self.started_s = self.cpu_s()

    @property
    def workers(self) -> list[int]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def cpu_s(self) -> float:
        """CPU seconds of the supervisor and its workers so far."""
        return sum(cpu_of(pid) for pid in (self._process.pid, *self.workers))

    def memory(self) -> Memory:
        """Of the supervisor and its workers."""
        parts = [memory_of(pid) for pid in (self._process.pid, *self.workers)]
        return Memory(*(sum(values) for values in zip(*parts, strict=True)))

    def kill_worker(self) -> None:
        os.kill(self.workers[0], signal.SIGKILL)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)


@contextmanager
def serving(store: str, folder: Path, *options: str) -> Iterator[ServerProcess]:
    """Start a server with an admin key and its access log on, until the block ends. `folder` gets its files."""
    key, errors = make_key(), folder / "server.err"
    (folder / "keys").write_text(f"bench:{hash_key(key)}:admin\n")
    command = [sys.executable, "-m", "audioae", "serve", "--store", store, "--port", "0"]
    command += ["--keys-file", str(folder / "keys"), *options]
    with errors.open("w") as stderr, Path(os.devnull).open("w") as null:
        process = subprocess.Popen(command, stdout=null, stderr=stderr)
    while not (line := READY.search(errors.read_text())):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at its start: {errors.read_text()}")
        time.sleep(0.02)
    server = ServerProcess(process, line, key)
    try:
        yield server
    finally:
        server.stop()


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def memory_of(pid: int) -> Memory:
    """Proportional set size, MiB, of the mappings of `index.faiss` and of others; and what is of no file."""
    kib, is_index, anonymous = {True: 0, False: 0}, False, 0
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_index = "index.faiss" in line or "/index/parts/" in line
        elif line.startswith("Pss:"):
            kib[is_index] += int(line.split()[1])
        elif line.startswith("Anonymous:"):
            anonymous += int(line.split()[1])
    return Memory(kib[True] / 1024, kib[False] / 1024, anonymous / 1024)
