"""Embed blocks of clips while the next ones are decoded or read.

Conventions
-----------
- Results come in the order of the blocks, and few blocks wait in memory.
- Where files are decoded, one encoder thread serves `DECODERS` decoding processes; else every process's core is free
  for an encoder, and shards that are read at the same time share them. Each thread runs torch on one CPU thread;
  threads share a GPU, which then need not wait for copies.

Why threads with one CPU thread each, not one call on all cores: beside busy decoders, threads that must wait for each
other took 3 to 6 times as long as one alone, and torch releases the interpreter while it computes. Why four: decoding
and mels take three to four times the CPU of the encoder.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, Semaphore
from types import TracebackType
from typing import Any

import pyarrow as pa

DECODERS = 4


class Encoder:
    """Threads that embed.

    Parameters
    ----------
    embed : function
        From a block (rows of `mels`, and what belongs to them) to rows of `embeddings`; several threads call it.
    n : int
        The largest number of threads.

    Attributes
    ----------
    busy_s, available_s : float
        Seconds that the threads worked, and that they could have worked.
    """

    def __init__(self, embed: Callable[[Any], pa.Table], n: int):
        self.n = n
        self.busy_s = self.available_s = 0.0
        self._embed = embed
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(n, thread_name_prefix="encoder")

    @property
    def utilization(self) -> float:
        """The share of the time in which the encoder worked, 0 to 1."""
        return self.busy_s / self.available_s if self.available_s else 0.0

    def map(self, blocks: Iterable[Any], *, beside_decoders: bool, share: int = 1) -> Iterator[pa.Table]:
        """Embed each block; `share` callers divide the threads among them."""
        n = -(-self.n // DECODERS) if beside_decoders else -(-self.n // share)
        begin, slots = time.monotonic(), Semaphore(n)
        running: deque[Future[tuple[pa.Table, float]]] = deque()
        for block in blocks:
            running.append(self._pool.submit(self._timed, block, slots))
            if len(running) > n:
                yield self._finish(running.popleft())
        while running:
            yield self._finish(running.popleft())
        with self._lock:
            self.available_s += n * (time.monotonic() - begin)

    def _finish(self, future: Future[tuple[pa.Table, float]]) -> pa.Table:
        table, seconds = future.result()
        with self._lock:
            self.busy_s += seconds
        return table

    def _timed(self, block: Any, slots: Semaphore) -> tuple[pa.Table, float]:
        with slots:
            begin = time.monotonic()
            table = self._embed(block)
            return table, time.monotonic() - begin

    def __enter__(self) -> "Encoder":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)
