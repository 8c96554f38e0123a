"""The worker processes of this process: started when they are needed, killed one at a time, and kept for the next call.

Conventions
-----------
- A worker runs `worker_process.serve` in a new Python process with one thread per library. Its output is discarded.
- It is leased by one caller at a time, and released to be used again.

Why not multiprocessing: its pools cannot kill a single worker that hangs; fork is unsafe with torch's threads; and
spawn imports the caller's `__main__`, which for a flow means Prefect and torch in each worker. A worker of this module
imports the module of the function and nothing else.

Why a spawner thread: Linux kills a worker with its parent (PR_SET_PDEATHSIG), but counts the thread that started it as
the parent, and Prefect's task threads end long before the process does.
"""

import atexit
import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from functools import cache
from multiprocessing.connection import Pipe
from queue import SimpleQueue
from typing import Any

from audioae.errors import AudioError

_START_TIMEOUT_S = 300.0
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")
_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from audioae.audio.worker_process import serve; serve()"
)


class Worker:
    """One process, which answers one call after another."""

    def __init__(self):
        self._connection, theirs = Pipe()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process lives
        path = json.dumps([os.path.abspath(folder) for folder in sys.path])
        self.process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, path, str(os.getpid()), str(theirs.fileno())],
            env={**os.environ, **{f"{library}_NUM_THREADS": "1" for library in _LIBRARIES}},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._has_worked = False

    def call(self, content: bytes, timeout_s: float) -> tuple[Any, int]:
        """Answer one call: its result and the bytes that it took; an `AudioError` if the process had to be killed.

        Raises
        ------
        Exception
            Whatever is a bug in the function.
        RuntimeError
            If the process could not start.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        with contextlib.suppress(ConnectionError):  # it has died; reading notices
            self._connection.send_bytes(content)
        while True:
            try:
                if not self._connection.poll(max(deadline - time.monotonic(), 0)):
                    self.process.kill()
                    return self._failure("timeout", f"no answer within {timeout_s:g} s; its process was killed"), 0
                message = self._connection.recv_bytes()
            except (EOFError, OSError):
                return self._failure("crashed", "its process died: {status}"), 0
            kind, value = pickle.loads(message)  # nosec B301 - from our own process
            if kind == "bug":
                raise value
            if kind == "result":
                return value, len(message)
            self._has_worked = True
            deadline = time.monotonic() + timeout_s

    def _failure(self, reason: str, detail: str) -> AudioError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self._output.seek(0)
        output = self._output.read().decode(errors="replace")
        status = self.end()
        if not self._has_worked:
            raise RuntimeError(f"a worker process could not start ({status}); its output: {output or 'none'}")
        return AudioError(reason, detail.format(status=status))

    def kill(self) -> None:
        """Kill the process, also while another thread waits for its answer."""
        self.process.kill()
        self.process.wait()

    def end(self) -> str:
        """Kill the process if it is alive, and return how it ended."""
        self.kill()
        status = self.process.returncode
        self._connection.close()
        self._output.close()
        return f"signal {-status}, {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


idle: list[Worker] = []
_requests: SimpleQueue[Future[Worker]] = SimpleQueue()


def lease() -> Worker:
    """Return an idle worker that is still alive, or a new one."""
    with contextlib.suppress(IndexError):  # no lock: a forked child could not release it
        while worker := idle.pop():
            if worker.process.poll() is None:
                return worker
            worker.end()
    request: Future[Worker] = Future()
    _spawner()
    _requests.put(request)
    return request.result()


def release(worker: Worker) -> None:
    """Keep a leased worker for the next call, if its process is alive."""
    if worker.process.returncode is None:
        idle.append(worker)


def close_workers() -> None:
    """End the idle workers of this process to free their memory; the next call starts new ones."""
    with contextlib.suppress(IndexError):
        while True:
            idle.pop().end()


@cache
def _spawner() -> threading.Thread:
    """Start the thread that starts the workers; a daemon, as no worker outlives it."""
    thread = threading.Thread(target=_spawn, name="audioae-spawner", daemon=True)
    thread.start()
    return thread


def _spawn() -> None:
    while True:
        request = _requests.get()
        try:
            request.set_result(Worker())
        except Exception as error:  # noqa: BLE001 - `lease` raises it
            request.set_exception(error)


def _forget_workers() -> None:
    """In a forked child, drop the workers and the spawner: they are the parent's."""
    idle.clear()
    _spawner.cache_clear()


atexit.register(close_workers)
os.register_at_fork(after_in_child=_forget_workers)
