"""Where requests compute: bounded thread pools, one for each kind of work.

Conventions
-----------
- A pool has as many threads as it may compute requests at a time; `queue` more may wait. One more than that is refused
  at once (`QueueFullError`): an answer that comes too late helps nobody, and costs those behind it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

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
    """

    def __init__(self, name: str, threads: int, queue: int):
        self.name = name
        self._room = threads + queue
        self._queue = queue
        self._pending = 0
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"audioae-{name}")

    async def run(self, function: Callable[[], T]) -> T:
        """Call `function` in a thread. Raises `QueueFullError` if too many wait."""
        if self._pending >= self._room:
            raise QueueFullError(self.name, self._queue)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function)
        finally:
            self._pending -= 1

    def close(self) -> None:
        """Let what runs finish; drop what waits."""
        self._executor.shutdown(wait=False, cancel_futures=True)
