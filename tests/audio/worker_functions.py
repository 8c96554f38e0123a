"""Functions that the tests run in workers, and helpers to call and count workers; a new process can import them."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from audioae.audio.worker_pool import idle, lease, release
from audioae.audio.workers import imap_killable
from audioae.errors import AudioError


class UnpicklableError(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def double(x):
    return 2 * x


def act(what):
    """Fail as a decoder may fail; return `what` if the process survives."""
    if what == "hang":
        time.sleep(600)
    elif what == "hang without the interpreter":
        ctypes.PyDLL(None).sleep(600)
    elif what == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "null pointer":
        ctypes.string_at(0)
    elif what == "exit":
        os._exit(3)
    elif what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "close everything":
        os.closerange(3, 100)
    elif what == "reject":
        raise AudioError("silent", "peak -inf dBFS")
    elif what == "bug":
        raise KeyError("no such thing")
    elif what == "unpicklable bug":
        raise UnpicklableError("one", "two")
    elif what == "unpicklable result":
        return lambda: None
    elif what == "print":
        sys.stdout.write("x" * 100_000)
        os.write(1, b"y" * 100_000)
        os.write(2, b"z" * 100_000)
        sys.stdout.flush()
    return what


def no_preparation(*_):
    """In place of a `prepare`."""


def act_by_name(path, *settings):
    """In place of `extract`: fail as the file's name says."""
    return act(Path(path).stem)


def after(seconds, value):
    time.sleep(seconds)
    return value


def big(n_bytes):
    return bytes(n_bytes)


def big_at(position, n_bytes):
    """`n_bytes`, and when they were made, seconds of the monotonic clock that all processes share."""
    return bytes(n_bytes), time.monotonic()


def allocate(megabytes):
    return len(bytearray(megabytes << 20))


PREPARED: list[str] = []


def prepare(what):
    """Be slow, large or broken, as `what` says, and remember it."""
    if what == "slow":
        time.sleep(1)
    elif what == "large":
        PREPARED.append("x" * (200 << 20))
    elif what == "broken":
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    PREPARED.append(what)


def prepared(what):
    return PREPARED[-1]


def environment(name):
    return os.getpid(), os.environ.get(name), "prefect" in sys.modules or "torch" in sys.modules


def spin(n):
    """CPU-bound work in the interpreter."""
    total = 0
    for i in range(n):
        total += i * i
    return total


def numbered(things: Iterable) -> Iterator[tuple[int, tuple]]:
    return ((i, (thing,)) for i, thing in enumerate(things))


def start_and_hang(ready: str) -> None:
    """Make two workers hang and leave two idle, then write a file. It runs in a process that the test kills."""
    for worker in [lease() for _ in range(4)]:
        release(worker)
    calls = imap_killable(act, numbered(["none", "hang without the interpreter", "hang"]), workers=2, timeout_s=600)
    next(calls)
    while len(idle) > 2:  # until both calls that hang have begun
        time.sleep(0.05)
    with open(ready, "w") as file:
        file.write("ready")
    next(calls)


def children(pid: int) -> set[int]:
    """Process IDs of the living workers of a process, from Linux's /proc."""
    pids = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name_and_state, command = status.read_text(), (status.parent / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = name_and_state.rpartition(")")[2].split()[:2]
        if int(parent) == pid and state != "Z" and "worker_process" in command:
            pids.add(int(status.parent.name))
    return pids


def call(things, *, function=act, workers=2, timeout_s=60.0):
    """Call `function` on each thing, in workers."""
    return list(imap_killable(function, numbered(things), workers=workers, timeout_s=timeout_s))
