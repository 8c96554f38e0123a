"""Cutting seconds out of tracks for the explorer: once, in processes that can be killed, without delaying searches.

Conventions
-----------
- A cut is named by the hash of its track's content and of what was asked, so a cached one is answered without a look
  at the track's file.
- Requests for the same cut at the same time share one computation. It goes on if they give up, and is kept.
- A file that hung, or crashed its process, is not tried again for `PAUSE_S`: it costs one process once.

Why a pool of its own, and processes that are nice: a search never waits for a clip, neither in a queue nor for a core.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from audioae.audio.config import ClipConfig
from audioae.audio.spectrogram import prepare
from audioae.audio.workers import call_killable, imap_killable
from audioae.config import fingerprint
from audioae.errors import AudioError
from audioae.library.records import Track
from audioae.serve.config import Limits
from audioae.serve.cut_cache import CutCache, Kept
from audioae.serve.pools import Pool

_log = logging.getLogger(__name__)

NICE = 5
PAUSE_S = 30.0
_COSTLY = ("timeout", "crashed", "out_of_memory")
_MOST_FAILURES = 1000


class Cuts:
    """The cuts of one process.

    Parameters
    ----------
    pool : Pool
        Its threads wait for the processes that decode.
    n : int
        How many there are.
    cache : CutCache
    limits : Limits
    """

    def __init__(self, pool: Pool, n: int, cache: CutCache, limits: Limits):
        self._pool, self._n, self._cache, self._limits = pool, n, cache, limits
        self._in_progress: dict[str, asyncio.Task[Kept]] = {}
        self._failures: dict[str, tuple[float, AudioError]] = {}
        self._warming: asyncio.Future | None = None

    async def get(
        self,
        track: Track,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        *,
        code: int,
    ) -> tuple[str, Kept]:
        """A cut of a track and its name, from the cache or made now.

        Parameters
        ----------
        track : Track
        function : callable (path, *arguments) -> listening.Cut
            Defined at the top of a module; it runs in another process.
        arguments : tuple
            After the path.
        code : int
            Another number for other results of the same arguments.

        Raises
        ------
        AudioError
            As `function` does, or because of the limits of the server.
        QueueFullError
            If too many wait.
        """
        asked = [value.model_dump() if isinstance(value, ClipConfig) else value for value in arguments]
        content = track.content_hash or [track.uri, track.modified_ns]
        key = fingerprint([function.__qualname__, code, content, asked])
        if kept := await asyncio.to_thread(self._cache.get, key):
            return key, kept
        until, failure = self._failures.get(key, (0.0, None))
        if failure is not None and time.monotonic() < until:
            raise failure
        if key not in self._in_progress:
            make = self._pool.run(lambda: self._make(key, track.path, function, arguments))
            task = self._in_progress[key] = asyncio.ensure_future(make)
            task.add_done_callback(lambda done: self._end(key, done))
        return key, await asyncio.shield(self._in_progress[key])

    async def warm(self) -> None:
        """Start as many processes as may cut at a time, that have everything imported: the next clips are cut at once.

        What fails is logged: clips fail with the same reason.
        """
        try:
            await asyncio.to_thread(_start_processes, self._n)
        except (ModuleNotFoundError, RuntimeError) as error:
            _log.error("clips cannot be cut: %s", error)

    def warm_soon(self) -> None:
        """Let `warm` begin, the first time that this is called: somebody looks at the explorer."""
        if self._warming is None:
            self._warming = asyncio.ensure_future(self.warm())

    def _make(self, key: str, path: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Kept:
        limits = {"timeout_s": self._limits.clip_s, "memory_mb": self._limits.decode_memory_mb}
        cut = call_killable(function, path, *arguments, **limits, prepare=_prepare)
        about = {"start_s": cut.start_s, "seconds": cut.seconds, "duration_s": cut.duration_s}
        return self._cache.put(key, about, cut.content)

    def _end(self, key: str, task: "asyncio.Task[Kept]") -> None:
        del self._in_progress[key]
        if task.cancelled() or not isinstance(error := task.exception(), AudioError) or error.reason not in _COSTLY:
            return
        if len(self._failures) >= _MOST_FAILURES:
            self._failures.pop(next(iter(self._failures)))
        self._failures[key] = time.monotonic() + PAUSE_S, error


def _start_processes(n: int) -> None:
    calls = ((i, ()) for i in range(n))
    for _ in imap_killable(_nothing, calls, workers=n, timeout_s=60.0, prepare=_prepare):
        pass


def _prepare(*_: object) -> None:
    """In a process: import and compile what is needed, and yield to the searches."""
    _be_nice()
    prepare()


@cache
def _be_nice() -> None:
    os.nice(NICE)


def _nothing(*_: object) -> None:
    pass
