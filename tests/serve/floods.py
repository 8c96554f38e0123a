"""Large bodies, sent to a server process, and what they do to its memory."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx

BLOCK = bytes(1 << 16)


def flood(url: str, megabytes: int, media: str) -> httpx.Response:
    """Send a chunked body of so many MB, and return the answer."""
    blocks = (BLOCK for _ in range((megabytes << 20) // len(BLOCK)))
    return httpx.post(url, content=blocks, headers={"Content-Type": media}, timeout=120)


def drip(url: str, megabytes: int, seconds: float) -> Iterator[bytes]:
    """A body of so many MB that takes so many seconds."""
    n = (megabytes << 20) // len(BLOCK)
    for _ in range(n):
        time.sleep(seconds / n)
        yield BLOCK


def growth_mib(pid: int, before: int) -> float:
    """MiB by which a process's resident memory has been above `before` since `rest`."""
    return (_status_kib(pid, "VmHWM") - before) / 1024


def rest(pid: int) -> int:
    """A process's resident memory in KiB, from which its peak counts anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _status_kib(pid, "VmRSS")


def libraries(pid: int) -> str:
    """What a process has mapped."""
    return Path(f"/proc/{pid}/maps").read_text()


def _status_kib(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))
