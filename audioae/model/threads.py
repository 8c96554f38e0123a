"""How many threads torch computes on.

Why all cores but one: threads that share their cores with anything else wait for each other. With one other process at
work on two cores, a training step on two threads took three times as long as on one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def cpu_threads(threads: int | None = None) -> Iterator[None]:
    """Torch computes on `threads` threads inside (None: all cores but one), and on as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or max(len(os.sched_getaffinity(0)) - 1, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
