"""The generation that is served, and how the next one takes its place.

Conventions
-----------
- A request takes `current` once and keeps it to its end. Swapping is one assignment: no request sees parts of two. The
  old generation is freed after its last request.
- The next generation is opened, warmed and checked in a thread of its own while the old one answers. If that fails, the
  old one stays.
- A named index is pinned: `follow` does not leave it until a reload without a name.
"""

import asyncio
import gc
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial

import pyarrow as pa

from audioae.api import Library, open_library
from audioae.errors import AudioaeError, NotMappedError
from audioae.library.self_check import check_generation
from audioae.pipeline.index import read_gate

_log = logging.getLogger(__name__)

LONGEST_WAIT_S = 60.0  # between attempts that fail


@dataclass(frozen=True)
class Served:
    """An opened, warmed generation that has answered a query of its own."""

    library: Library
    loaded_at: datetime

    @cached_property
    def names(self) -> dict[str, str]:
        """What every answer says about where it is from."""
        return {"index": str(self.library.index_ref), "model": str(self.library.model_ref)}

    @cached_property
    def gate(self) -> dict:
        """What was measured before the index was published."""
        return read_gate(self.library.store, self.library.index_ref)

    @cached_property
    def published_at(self) -> datetime | None:
        return self.library.store.manifest(self.library.index_ref).published_at

    @property
    def age_s(self) -> float:
        """Seconds since the index was published; since it was loaded, where an old store does not say."""
        return (datetime.now(UTC) - (self.published_at or self.loaded_at)).total_seconds()


def load(store: str, index: str | None = None) -> Served:
    """Open a generation and check it with queries of its own.

    Raises
    ------
    StoreError
        If there is none, or something of it is missing or damaged.
    SearchError
        If it fails its checks.
    """
    library = open_library(store, index=index)
    library.warm()
    check_generation(library)
    _open_map(library)
    served = Served(library, datetime.now(UTC))
    _ = served.names, served.gate, served.published_at  # now, while the store has them
    pa.default_memory_pool().release_unused()  # what reading left behind: 20 MiB at 1,000,000 tracks
    return served


def _open_map(library: Library) -> None:
    """Open the map now, so that nobody waits for it later; a damaged one is no reason not to serve the index."""
    try:
        library.map()
    except NotMappedError:
        pass
    except AudioaeError as error:
        _log.error("the map of %s cannot be opened: %s", library.index_ref, error)


class Generations:
    """What is served now.

    Parameters
    ----------
    first : Served
    store : str
        The root of the store.
    pinned : bool
        Whether `first` was named, and not just the newest.

    Attributes
    ----------
    current : Served
    swapped : callable (str, bool)
        Called with each new index, and whether it is pinned, unless the news came from outside (`announce=False`).
    counted : callable (str)
        Called with the result of each attempt: "ok" or "failed".
    """

    def __init__(self, first: Served, store: str, *, pinned: bool = False):
        self.current = first
        self.pinned = pinned
        self.swapped: Callable[[str, bool], None] = lambda index, pinned: None
        self.counted: Callable[[str], None] = lambda result: None
        self._store = store
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audioae-reload")

    async def reload(
        self, index: str | None = None, *, pinned: bool | None = None, announce: bool = True
    ) -> tuple[str, str]:
        """Serve `index`, or the newest; the names of the index before and after. Reloads follow one another.

        Raises
        ------
        AudioaeError
            If it cannot be opened or fails its checks: the old one is served as before.
        """
        async with self._lock:
            before = self.current.names["index"]
            try:
                after = await self._run(partial(self._load, index))
            except AudioaeError as error:
                self.counted("failed")
                _log.error("the index stays %s, because %s cannot be served: %s", before, index or "the newest", error)
                raise
            self.pinned = index is not None if pinned is None else pinned
            if after is not None:
                self.counted("ok")
                self.current = after
                _log.info("the index is %s now, it was %s", after.names["index"], before)
                self._thread.submit(gc.collect)  # of the old one, what is in circles
            if announce:
                self.swapped(self.current.names["index"], self.pinned)
            return before, self.current.names["index"]

    async def follow(self, every_s: float) -> None:
        """Serve what the store publishes, for ever. What fails is tried again, less often each time."""
        failures = 0
        while True:
            await asyncio.sleep(min(every_s * 2**failures, max(every_s, LONGEST_WAIT_S)))
            if self.pinned:
                continue
            try:
                if not await self._run(self.current.library.is_current):
                    await self.reload()
                if failures:
                    _log.info("following the store again")
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
                failures += 1
                if failures == 1:
                    _log.error("cannot follow the store, %s stays: %s", self.current.names["index"], error)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _load(self, index: str | None) -> Served | None:
        """The generation wanted; None if it is served already."""
        library = self.current.library
        wanted = index if index is not None else str(library.store.require("index"))
        return None if wanted == self.current.names["index"] else load(self._store, wanted)

    async def _run(self, function):
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
