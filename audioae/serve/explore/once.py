"""Results that take long and that several requests ask for: computed once, and the last few kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any


class Once:
    """The results of the last few computations, by key.

    A request that asks while a result is computed waits for it. One that goes away does not end the computation; a
    computation that fails is forgotten.

    Parameters
    ----------
    most : int
        Results to keep.
    """

    def __init__(self, most: int):
        self._most = most
        self._tasks: OrderedDict[Hashable, asyncio.Task] = OrderedDict()

    async def get(self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result for `key`: the one that is there, or what `compute()` returns."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(compute())
            task.add_done_callback(lambda ended: self._forget_failed(key, ended))
        self._tasks.move_to_end(key)
        while len(self._tasks) > self._most:
            self._tasks.popitem(last=False)
        return await asyncio.shield(task)

    def _forget_failed(self, key: Hashable, task: asyncio.Task) -> None:
        if (task.cancelled() or task.exception() is not None) and self._tasks.get(key) is task:
            del self._tasks[key]
