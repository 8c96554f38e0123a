"""The number of threads that torch computes on.

Why all cores but one: threads that share their cores with other work wait for each other. With one other busy process
on two cores, a training step on two threads took three times as long as on one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def cpu_threads(threads: int | None = None) -> Iterator[None]:
    """Run torch on `threads` threads (None: all cores but one) inside the context, then restore the old number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or max(len(os.sched_getaffinity(0)) - 1, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
