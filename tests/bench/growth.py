"""Seconds and memory of a stage at several sizes, each in a process of its own, and the exponents that fit them.

Conventions
-----------
- A case is a function `case(root, n) -> None` of a module of benchmarks, named `module:function`. What it prepares and
  need not be measured is a context manager: `case` may be a generator function that yields once; what is before the
  `yield` is prepared, what is behind it is measured.
- Seconds are of CPU, of the process and of the children that it waited for: a machine that does other work adds
  little. Memory is the highest resident set of the measured process, files that are mapped excluded where the kernel
  tells (`RssAnon`), sampled every 20 ms.
- The exponent between two sizes is log(t2 / t1) / log(n2 / n1), of what is left above the fixed cost: a process that
  only imports costs 2 s at any size, and a stage of 3 s at 1,000,000 tracks would otherwise look constant.

Why the exponent of the two largest sizes counts: what is quadratic shows there first.
"""

import importlib
import inspect
import json
import math
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EXPONENT = 1.1
PAUSE_S = 0.02


@dataclass(frozen=True)
class Point:
    """What one case took at one size: CPU and wall seconds, and MiB at the peak, above those at its start."""

    case: str
    n: int
    cpu_s: float
    wall_s: float
    peak_mib: float
    anonymous_mib: float


def measure_case(case: str, root: Path, n: int, timeout_s: float = 3600.0) -> Point:
    """Run one case in a new process. Raises `RuntimeError` with its output if it fails."""
    command = [sys.executable, "-m", "tests.bench.growth", case, str(root), str(n)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    if run.returncode:
        raise RuntimeError(f"{case} at {n:,}: {run.stderr[-2000:]}")
    return Point(**json.loads(run.stdout.splitlines()[-1]))


def exponent(sizes: Sequence[int], values: Sequence[float], fixed: float = 0.0, least: float = 0.0) -> float:
    """The exponent between the two largest sizes, of what is above `fixed`; 0 where nothing is above `least`.

    What is below `least` counts as `least`: noise about the fixed cost must not make a slope.

    >>> round(exponent([10, 100, 1000], [1, 10, 1000]), 2), exponent([10, 100], [1.0, 1.0], fixed=1.0)
    (2.0, 0.0)
    """
    first, last = (max(value - fixed, 0.0) for value in values[-2:])
    if last <= least:
        return 0.0
    first = max(first, least, last * (sizes[-2] / sizes[-1]) ** 3)
    return math.log(last / first) / math.log(sizes[-1] / sizes[-2])


class _Peak(threading.Thread):
    """The highest resident and anonymous memory of this process, in MiB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.resident = self.anonymous = 0.0
        self._stop_it = threading.Event()

    def look(self) -> None:
        with open("/proc/self/status", encoding="ascii") as lines:
            kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "RssAnon"))}
        self.resident = max(self.resident, kib["VmRSS"] / 1024)
        self.anonymous = max(self.anonymous, kib["RssAnon"] / 1024)

    def run(self) -> None:
        while not self._stop_it.wait(PAUSE_S):
            self.look()

    def end(self) -> None:
        self._stop_it.set()
        self.join()
        self.look()


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _run(case: str, root: Path, n: int) -> Point:
    module, _, name = case.partition(":")
    function = getattr(importlib.import_module(f"tests.bench.{module}"), name)
    prepared = None
    if inspect.isgeneratorfunction(function):
        prepared = function(root, n)
        next(prepared)
    peak, cpu, wall = _Peak(), _cpu(), time.perf_counter()
    peak.start()
    if prepared is None:
        function(root, n)
    else:
        next(prepared, None)
    wall_s = time.perf_counter() - wall
    peak.end()
    return Point(case, n, _cpu() - cpu, wall_s, peak.resident, peak.anonymous)


if __name__ == "__main__":
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    print(json.dumps(vars(_run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))))
