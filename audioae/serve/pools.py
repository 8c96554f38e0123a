"""Where requests compute: bounded pools of threads, one for each kind of work.

Conventions
-----------
- A pool has as many threads as it may compute requests at a time; `queue` more may wait. One more than that is refused
  at once (`QueueFullError`): an answer that comes too late helps nobody, and costs those behind it.
- A request that is cancelled while it waits, as when its client has gone, gives its place back. What a thread has begun
  it finishes, and keeps its place until then.
- The threads are daemons: a computation that never ends does not keep the process.

Why not `run_in_executor`: it makes a second future with its own lock and condition for each call.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class QueueFullError(Exception):
    """A pool has no room for one more request."""

    def __init__(self, name: str, waiting: int):
        super().__init__(f"{waiting} requests of the kind {name} wait already")
        self.retry_after_s = 1


class Pool:
    """Threads that compute the requests of one kind.

    Parameters
    ----------
    name : str
        For messages and threads.
    threads, queue : int
        Requests that are computed, and that may wait, at the same time.

    Attributes
    ----------
    waits : callable (int), optional
        Called with the number of waiting requests, whenever that may have changed.
    """

    def __init__(self, name: str, threads: int, queue: int):
        self.name = name
        self.waits: Callable[[int], None] | None = None
        self._queue = queue
        self._room = threads + queue
        self._pending = 0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"audioae-{name}-{i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[[], T]) -> T:
        """Call `function` in a thread, and return or raise what it does. Raises `QueueFullError` if too many wait."""
        if self._pending >= self._room:
            raise QueueFullError(self.name, self._queue)
        job = _Job(function, asyncio.get_running_loop())
        self._change(1)
        self._jobs.put(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            if job.take():
                self._change(-1)
            raise

    @property
    def n_waiting(self) -> int:
        return max(self._pending - len(self._threads), 0)

    def close(self) -> None:
        """Let the threads end after what they compute; drop what waits."""
        with contextlib.suppress(Exception):  # queue.Empty
            while True:
                self._jobs.get_nowait()
        for _ in self._threads:
            self._jobs.put(None)

    def _change(self, by: int) -> None:
        self._pending += by
        if self.waits is not None:
            self.waits(self.n_waiting)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.take():
                continue  # nobody waits for it any more
            result, error = None, None
            try:
                result = job.function()
            except BaseException as raised:  # noqa: BLE001 - it belongs to whoever waits
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed
                job.loop.call_soon_threadsafe(self._end, job.future, result, error)
            del job, result, error  # an idle thread keeps no generation alive

    def _end(self, future: asyncio.Future, result: Any, error: BaseException | None) -> None:
        self._change(-1)
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(RuntimeError(repr(error)) if isinstance(error, StopIteration) else error)


class _Job:
    """A computation, and who waits for it."""

    __slots__ = ("_ticket", "function", "future", "loop")

    def __init__(self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop):
        self.function, self.loop = function, loop
        self.future: asyncio.Future = loop.create_future()
        self._ticket = threading.Lock()

    def take(self) -> bool:
        """Whether the caller is the first: the thread that computes it, or the request that gives up."""
        return self._ticket.acquire(blocking=False)
