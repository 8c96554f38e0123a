"""Killable worker processes: a decoder that hangs or crashes costs one file, not the run.

Conventions
-----------
- An item is `(key, arguments)`; its answer is `(key, result)`, in the order of the items. A result is the function's
  return value, or an `AudioError`: the one it raised, "timeout", "crashed", or "out_of_memory".
- Any other exception is a bug: it is raised in the caller, with the worker's traceback as a note.
- Workers go on while the caller is busy with results: up to `LOOKAHEAD` items per worker, and while the results that
  wait for the caller have fewer than `HELD_BYTES`.
- The processes are those of `worker_pool`. Calls from several threads never share a worker.

Why a thread per worker: it hands over the next item the moment a result is there, whatever the caller does. When the
caller itself did that, between two results, decoding and embedding took the sum of both times.
"""

import pickle
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from typing import Any

from audioae.audio.worker_pool import Worker, close_workers, lease, release
from audioae.errors import AudioError

__all__ = ["call_killable", "close_workers", "imap_killable"]

LOOKAHEAD = 32  # items per worker
HELD_BYTES = 256 << 20
_LEAVE_S = 10.0  # for the threads of workers that were killed to end


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
        Read lazily, in the caller's thread, while it waits for a result: at most 32 items per worker ahead of the
        result that it fetched last. A caller that collects results before it works on them should collect fewer.
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


def _imap(
    function: Callable[..., Any],
    items: Iterable,
    workers: int,
    timeout_s: float,
    memory_mb: int | None,
    prepare: Callable[..., Any] | None,
) -> Iterator[tuple]:
    upcoming = iter(items)
    keys: deque[Hashable] = deque()
    crew = _Crew(workers, timeout_s)
    try:
        while True:
            room = min(LOOKAHEAD * workers - len(keys), workers + 1)
            drawn = len(keys)
            for key, arguments in islice(upcoming, room):
                crew.add(pickle.dumps((function, arguments, memory_mb, prepare)))
                keys.append(key)
            if not keys:
                return
            if crew.is_ready() or len(keys) == drawn:  # or else there may be more to do meanwhile
                yield keys.popleft(), crew.fetch()
    finally:
        crew.leave()


class _Crew:
    """Threads that have calls answered, each by a worker of its own.

    Calls are answered in the order in which they were added, so the one whose result is fetched next never waits for
    room: nothing after it has been begun.
    """

    def __init__(self, n: int, timeout_s: float):
        self._n, self._timeout_s = n, timeout_s
        self._changed = threading.Condition()
        self._calls: deque[bytes] = deque()  # not begun
        self._begun = self._fetched = self._held_bytes = self._threads = 0
        self._results: dict[int, tuple[Any, int]] = {}
        self._busy: set[Worker] = set()
        self._bug: BaseException | None = None
        self._has_left = False

    def add(self, call: bytes) -> None:
        with self._changed:
            self._calls.append(call)
            if self._threads < self._n:
                self._threads += 1
                threading.Thread(target=self._run, name="audioae-worker", daemon=True).start()
            self._changed.notify_all()

    def is_ready(self) -> bool:
        """Whether `fetch` returns, or raises, at once."""
        return self._bug is not None or self._fetched in self._results

    def fetch(self) -> Any:
        """The next result. Raises whatever went wrong in any call, if it is a bug."""
        with self._changed:
            self._changed.wait_for(self.is_ready)
            if self._bug:
                raise self._bug
            result, n_bytes = self._results.pop(self._fetched)
            self._fetched += 1
            self._held_bytes -= n_bytes
            self._changed.notify_all()
        return result

    def leave(self) -> None:
        """Kill the workers that are busy, release the others, and wait until all threads have ended."""
        with self._changed:
            self._has_left = True
            busy = list(self._busy)
            self._changed.notify_all()
        for worker in busy:
            worker.kill()
        with self._changed:
            self._changed.wait_for(lambda: not self._threads, _LEAVE_S)

    def _run(self) -> None:
        try:
            while begun := self._begin():
                position, call, worker = begun
                result, n_bytes = worker.call(call, self._timeout_s)
                self._end(position, worker, result, n_bytes)
        except Exception as error:  # noqa: BLE001 - the caller raises it
            with self._changed:
                self._bug = self._bug or error
        finally:
            with self._changed:
                self._threads -= 1
                self._changed.notify_all()

    def _begin(self) -> tuple[int, bytes, Worker] | None:
        """Wait for a call and for room; None once the caller has left."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_left or (self._calls and self._held_bytes < HELD_BYTES))
            if self._has_left:
                return None
            position, call = self._begun, self._calls.popleft()
            self._begun += 1
        worker = lease()  # it may have to start
        with self._changed:
            if not self._has_left:
                self._busy.add(worker)
                return position, call, worker
        release(worker)
        return None

    def _end(self, position: int, worker: Worker, result: Any, n_bytes: int) -> None:
        with self._changed:
            self._busy.discard(worker)  # at once with the release: `leave` must not kill what others lease
            release(worker)
            self._results[position] = result, n_bytes
            self._held_bytes += n_bytes
            self._changed.notify_all()
