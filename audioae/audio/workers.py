"""Killable worker processes: a decoder that hangs or crashes costs one file, not the run.

Conventions
-----------
- An item is `(key, arguments)`; its answer is `(key, result)`, in the order of the items. A result is the function's
  return value, or an `AudioError`: the one it raised, "timeout", "crashed", or "out_of_memory".
- Any other exception is a bug: it is raised in the caller, with the worker's traceback as a note.
- A worker is a new Python process with one thread per library. It is started when it is first needed and kept for the
  next call from this process; calls from several threads never share a worker. Its output is discarded.

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
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future
from functools import cache
from itertools import islice
from multiprocessing.connection import Pipe, wait
from queue import SimpleQueue
from typing import Any

from audioae.errors import AudioError

_START_TIMEOUT_S = 300.0
_LOOKAHEAD = 32
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")
_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from audioae.audio.worker_process import serve; serve()"
)


def imap_killable(
    function: Callable[..., Any],
    items: Iterable[tuple[Hashable, tuple[Any, ...]]],
    *,
    workers: int,
    timeout_s: float,
    memory_mb: int | None = None,
    prepare: Callable[..., Any] | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Call `function(*arguments)` for each item, in worker processes that can be killed.

    Parameters
    ----------
    function : callable
        Defined at the top of a module other than `__main__`. Its arguments and results are pickled.
    items : iterable of (key, arguments)
        Read lazily: at most 32 items per worker ahead of the result that the caller fetched last.
    workers : int
        Number of processes, at least 1.
    timeout_s : float
        Limit for one item, without the import of the function's module, and without `prepare`.
    memory_mb : int, optional
        What one item may need, beyond what its process has before; default: no limit.
    prepare : callable, optional
        Called before each item with the same arguments, outside both limits: it imports what is heavy and loads a
        model, so that the module of `function` can stay light. Whatever it raises is raised in the caller.

    Returns
    -------
    Iterator of (key, result)
        In the order of `items`. A result is an `AudioError` if the function raised one, took longer than `timeout_s`
        ("timeout"), got no memory ("out_of_memory"), or its process died ("crashed"). No item is retried.

    Raises
    ------
    ValueError
        If `workers` is below 1, or another process cannot import the function.
    RuntimeError
        If a worker cannot be started.
    """
    if function.__module__ == "__main__" or "<" in function.__qualname__:
        name = f"{function.__module__}.{function.__qualname__}"
        raise ValueError(
            f"imap_killable: got {name}, wanted a function at the top of a module, which workers can import"
        )
    if workers < 1:
        raise ValueError(f"imap_killable: got workers={workers}, wanted at least 1")
    return _imap(function, items, workers, timeout_s, memory_mb, prepare)


def call_killable(
    function: Callable[..., Any],
    *arguments: Any,
    timeout_s: float,
    memory_mb: int | None = None,
    prepare: Callable[..., Any] | None = None,
) -> Any:
    """One call of `imap_killable`: returns its result, or raises its `AudioError`."""
    ((_, result),) = imap_killable(
        function, [(None, arguments)], workers=1, timeout_s=timeout_s, memory_mb=memory_mb, prepare=prepare
    )
    if isinstance(result, AudioError):
        raise result
    return result


def close_workers() -> None:
    """End the idle workers of this process to free their memory; the next call starts new ones."""
    while _idle:
        _idle.pop().end()


class _Worker:
    """One process and its current call."""

    def __init__(self):
        self.connection, theirs = Pipe()
        self.output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process lives
        path = json.dumps([os.path.abspath(folder) for folder in sys.path])
        self.process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, path, str(os.getpid()), str(theirs.fileno())],
            env={**os.environ, **{f"{library}_NUM_THREADS": "1" for library in _LIBRARIES}},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self.has_worked = False

    def begin(self, position: int, call: bytes) -> None:
        self.position = position
        self.deadline = time.monotonic() + _START_TIMEOUT_S
        with contextlib.suppress(ConnectionError):  # it has died; `receive` notices
            self.connection.send_bytes(call)

    def receive(self, timeout_s: float) -> tuple[bool, Any]:
        """Whether the call is over, and its result. Raises the exception of a bug."""
        if not self.connection.poll():
            if time.monotonic() < self.deadline:
                return False, None
            self.process.kill()
            return True, self._failure("timeout", f"no answer within {timeout_s:g} s; its process was killed")
        try:
            kind, value = pickle.loads(self.connection.recv_bytes())  # nosec B301 - from our own process
        except (EOFError, OSError):
            return True, self._failure("crashed", "its process died: {status}")
        if kind == "bug":
            raise value
        if kind == "started":
            self.has_worked = True
            self.deadline = time.monotonic() + timeout_s
        return kind == "result", value

    def _failure(self, reason: str, detail: str) -> AudioError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.output.seek(0)
        output = self.output.read().decode(errors="replace")
        status = self.end()
        if not self.has_worked:
            raise RuntimeError(f"a worker process could not start ({status}); its output: {output or 'none'}")
        return AudioError(reason, detail.format(status=status))

    def end(self) -> str:
        """Kill the process if it is alive, and return how it ended."""
        self.process.kill()
        status = self.process.wait()
        self.connection.close()
        self.output.close()
        return f"signal {-status}, {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


_idle: list[_Worker] = []
_requests: SimpleQueue[Future[_Worker]] = SimpleQueue()


def _lease() -> _Worker:
    """Return an idle worker that is still alive, or a new one."""
    while _idle:
        worker = _idle.pop()
        if worker.process.poll() is None:
            return worker
        worker.end()
    request: Future[_Worker] = Future()
    _spawner()
    _requests.put(request)
    return request.result()


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
            request.set_result(_Worker())
        except Exception as error:  # noqa: BLE001 - `_lease` raises it
            request.set_exception(error)


def _imap(
    function: Callable[..., Any],
    items: Iterable,
    workers: int,
    timeout_s: float,
    memory_mb: int | None,
    prepare: Callable[..., Any] | None,
) -> Iterator[tuple]:
    upcoming = enumerate(items)
    busy: list[_Worker] = []
    keys: dict[int, Hashable] = {}
    results: dict[int, Any] = {}
    fetched = 0
    try:
        while True:
            if busy and fetched not in results:
                _wait(busy)
            for worker in list(busy):
                is_over, result = worker.receive(timeout_s)
                if is_over:
                    results[worker.position] = result
                    busy.remove(worker)
                    if worker.process.returncode is None:
                        _idle.append(worker)
            room = min(workers - len(busy), _LOOKAHEAD * workers - len(keys))
            for position, (key, arguments) in islice(upcoming, room):
                call = pickle.dumps((function, arguments, memory_mb, prepare))
                keys[position] = key
                busy.append(_lease())
                busy[-1].begin(position, call)
            if fetched in results:
                yield keys.pop(fetched), results.pop(fetched)
                fetched += 1
            elif not keys:
                return
    finally:
        for worker in busy:
            worker.end()


def _wait(busy: list[_Worker]) -> None:
    """Wait until a worker has sent a message or is overdue."""
    first_deadline = min(worker.deadline for worker in busy)
    wait([worker.connection for worker in busy], max(first_deadline - time.monotonic(), 0))


def _forget_workers() -> None:
    """In a forked child, drop the workers and the spawner: they are the parent's."""
    _idle.clear()
    _spawner.cache_clear()


atexit.register(close_workers)
os.register_at_fork(after_in_child=_forget_workers)
