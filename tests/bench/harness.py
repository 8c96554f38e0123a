"""Compare timings: every claim of speed is a ratio of two subjects that are timed in one interleaved run.

Conventions
-----------
- A file `bench_<subject>.py` has one function `measure() -> list[Row]`; `python -m tests.bench` runs them all.

Why ratios: absolute times on a shared machine are noise; a ratio of medians over interleaved rounds is not.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured figure and its bar: a minimum, or a maximum if `higher_is_better` is False."""

    name: str
    value: float
    bar: float
    unit: str = "x"
    note: str = ""
    higher_is_better: bool = True

    @property
    def met(self) -> bool:
        return self.value >= self.bar if self.higher_is_better else self.value <= self.bar


def interleave(subjects: Mapping[str, Callable[[], Any]], rounds: int = 5) -> dict[str, float]:
    """Median wall seconds of each subject over `rounds` rounds. Each round runs every subject once, after a warm-up."""
    for run in subjects.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, run in subjects.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
