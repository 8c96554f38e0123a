"""Compare timings: every claim of speed is a ratio of two subjects that are timed in one interleaved run.

Conventions
-----------
- A file `bench_<subject>.py` has one function `measure() -> list[Row]`; `python -m tests.bench` runs them all.
- A bar can be missed. A figure that is only reported has no bar: None, not a number that every value reaches.

Why ratios: absolute times on a shared machine are noise; a ratio of medians over interleaved rounds is not.
"""

import importlib.util
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured figure and its bar: a minimum, a maximum if `higher_is_better` is False, or None."""

    name: str
    value: float
    bar: float | None
    unit: str = "x"
    note: str = ""
    higher_is_better: bool = True

    @property
    def met(self) -> bool | None:
        """Whether the bar was met, None without a bar; a value that is not a number misses it."""
        if self.bar is None:
            return None
        return bool(self.value >= self.bar if self.higher_is_better else self.value <= self.bar)

    def __str__(self) -> str:
        """One line of the report.

        >>> print(" ".join(str(Row("a ratio", 2.0, 1.5)).split()), "|", " ".join(str(Row("b", 2.0, None, "s")).split()))
        a ratio 2x >= 1.5x met | b 2s no bar
        """
        bar = "" if self.bar is None else f"{'>=' if self.higher_is_better else '<='} {self.bar:g}{self.unit}"
        verdict = {None: "no bar", True: "met", False: "MISSED"}[self.met]
        return f"{self.name:<62} {self.value:>9.3g}{self.unit:<3} {bar:>12}  {verdict:<6}  {self.note}".rstrip()


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


def installed(*packages: str) -> bool:
    """Whether all of these can be imported."""
    return all(importlib.util.find_spec(package) for package in packages)
