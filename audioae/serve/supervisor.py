"""Worker processes that are forked from one parent, replaced when they die, and ended together.

Conventions
-----------
- A worker is ready when it says so. Once all were, `started` is called.
- A worker that dies is replaced at once. If it ends before it was ready, the next attempt waits, longer each time.
- Before `started`: an error that a worker reports, or the third death in a row, ends everything. Afterwards, that takes
  three failures in a row while no other worker is ready: what the others answer is not given up.
- SIGTERM and SIGINT end the workers, which have `grace_s` for what is in flight, and then are killed. SIGHUP tells them
  to reload. If this process is killed, Linux kills the workers (PR_SET_PDEATHSIG).

Why our own: uvicorn's supervisor starts each worker as a new interpreter, which imports everything again (85 MiB that a
fork shares), leaves the workers running when it is killed, and restarts one that cannot start for ever. A fork is safe
here because nothing has started a thread yet that holds a lock: the parent imports, binds and waits, and never opens a
store.
"""

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from audioae.audio.worker_process import end_with_parent
from audioae.serve.channel import Channel

_log = logging.getLogger(__name__)

FAILURES = 3
LONGEST_WAIT_S = 30.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Work = Callable[[Channel, dict[str, Any]], int]


@dataclass
class _Worker:
    """One of the `n` places, and the process that fills it."""

    pid: int = 0
    channel: Channel | None = None
    is_ready: bool = False
    error: str | None = None
    failures: int = 0
    start_at: float = field(default=0.0)


class Supervisor:
    """Keeps `n` workers running.

    Parameters
    ----------
    n : int
    work : callable (channel, told) -> int
        What a worker does, in a process of its own; its exit status. `told` is the index that the others serve and
        whether it is pinned; empty at the start.
    started : callable (dict) -> None
        Called once, with the last `ready` message, when all workers are ready.
    ended : callable (int) -> None
        Called with the process ID of each worker that has ended.
    grace_s : float
        From the signal to end until workers are killed.
    """

    def __init__(
        self,
        n: int,
        work: Work,
        *,
        started: Callable[[dict[str, Any]], None] = lambda _: None,
        ended: Callable[[int], None] = lambda _: None,
        grace_s: float = 4.5,
    ):
        self._work, self._on_started, self._on_ended, self._grace_s = work, started, ended, grace_s
        self._workers = [_Worker() for _ in range(n)]
        self._told: dict[str, Any] = {}
        self._has_started = False
        self._error: str | None = None
        self._stopping = False
        self._wake, self._woken = socket.socketpair()

    def run(self) -> str | None:
        """Run until a signal ends it; None then, else the error that ended it."""
        gc.collect()
        gc.freeze()  # a collection in a worker would touch, and so copy, every object that it shares
        with self._signals():
            while not self._stopping:
                self._start_due()
                self._wait(self._pause())
            self._end()
        return self._error

    # What happens

    def _start_due(self) -> None:
        for worker in self._workers:
            if not worker.pid and time.monotonic() >= worker.start_at:
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        ours, theirs = Channel.pair()
        parent = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the only other thread is the allocator's
            pid = os.fork()
        if pid == 0:
            self._become_worker(parent, theirs, ours)
        theirs.close()
        worker.pid, worker.channel, worker.is_ready, worker.error = pid, ours, False, None

    def _become_worker(self, parent: int, channel: Channel, other: Channel) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for number in (signal.SIGINT, signal.SIGHUP):  # they reach the whole process group; the parent decides
                signal.signal(number, signal.SIG_IGN)
            self._wake.close()
            self._woken.close()
            for end in (other, *(worker.channel for worker in self._workers)):
                if end is not None:
                    end.close()
            if end_with_parent(parent):
                status = self._work(channel, self._told)
        except BaseException:  # noqa: BLE001 - nothing of the parent may run in the child
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(status)

    def _pause(self) -> float | None:
        """Seconds until the next worker is to be started; None: only when something happens."""
        due = [worker.start_at for worker in self._workers if not worker.pid]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _wait(self, timeout_s: float | None) -> None:
        """Sleep until a signal, a message, the end of a worker, or the timeout; and act on it."""
        channels = {worker.channel: worker for worker in self._workers if worker.channel is not None}
        ends: list[socket.socket | Channel] = [self._woken, *channels]
        for end in select.select(ends, [], [], timeout_s)[0]:
            if isinstance(end, Channel):
                self._receive(channels[end])
            else:
                for number in self._woken.recv(4096):
                    self._signal(number)
        self._reap()

    def _signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stopping = True
        elif number == signal.SIGHUP:
            self._tell("reload")

    def _receive(self, worker: _Worker) -> None:
        assert worker.channel is not None
        for message in worker.channel.receive():
            kind = message.pop("kind")
            if kind == "ready":
                worker.is_ready, worker.failures = True, 0
                self._note_ready(worker, message)
            elif kind == "failed":
                worker.error = message["error"]
            elif kind == "swapped":
                self._told = message
                self._tell("swap", except_=worker, **message)
        if worker.channel.is_closed:
            worker.channel.close()
            worker.channel = None

    def _note_ready(self, worker: _Worker, message: dict[str, Any]) -> None:
        news = {name: message.get(name) for name in ("index", "pinned")}
        self._told = self._told or news
        if news != self._told and worker.channel is not None:
            worker.channel.send("swap", **self._told)  # the others serve something else
        if not self._has_started and all(worker.is_ready for worker in self._workers):
            self._has_started = True
            self._on_started(message)

    def _tell(self, kind: str, *, except_: _Worker | None = None, **fields: Any) -> None:
        for worker in self._workers:
            if worker.channel is not None and worker is not except_:
                worker.channel.send(kind, **fields)

    def _reap(self) -> None:
        for worker in self._workers:
            if worker.pid and os.waitpid(worker.pid, os.WNOHANG)[0]:
                self._ended(worker)

    def _ended(self, worker: _Worker) -> None:
        pid, was_ready = worker.pid, worker.is_ready
        if worker.channel is not None:
            self._receive(worker)  # its last words
        if worker.channel is not None:
            worker.channel.close()
        worker.pid, worker.channel, worker.is_ready = 0, None, False
        self._on_ended(pid)
        if self._stopping:
            return
        if was_ready:
            _log.error("worker %d died; another takes its place", pid)
            worker.start_at = time.monotonic()
            return
        worker.failures += 1
        error = worker.error or f"worker {pid} ended before it was ready; its output is above"
        wait = min(2.0 ** (worker.failures - 1), LONGEST_WAIT_S) if self._has_started else 0.0
        worker.start_at = time.monotonic() + wait
        others = any(other.is_ready for other in self._workers)
        if (worker.error and not self._has_started) or (worker.failures >= FAILURES and not others):
            self._stopping, self._error = True, error
        else:
            _log.error("a worker cannot start, the next attempt is in %g s: %s", wait, error)

    def _end(self) -> None:
        """Tell the workers to end, wait for what is in flight, and kill what is left."""
        deadline = time.monotonic() + self._grace_s
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGTERM)
        while any(worker.pid for worker in self._workers):
            left = deadline - time.monotonic()
            if left <= 0:
                for worker in self._workers:
                    if worker.pid:
                        _log.error("worker %d had not ended after %g s and was killed", worker.pid, self._grace_s)
                        os.kill(worker.pid, signal.SIGKILL)
                        os.waitpid(worker.pid, 0)
                        self._on_ended(worker.pid)
                        worker.pid = 0
                return
            self._wait(left)

    @contextlib.contextmanager
    def _signals(self):
        self._wake.setblocking(False)
        before = {number: signal.signal(number, lambda *_: None) for number in (*_SIGNALS, signal.SIGCHLD)}
        wakeup = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
