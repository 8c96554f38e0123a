"""What breaks first: the smallest catalog at which a resource of this plan is not enough.

Conventions
-----------
- A limit is a condition on a plan; it holds up to some number of tracks and is broken above. That number is found by
  bisection over plans, so a limit follows the same formulas as the plan itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from audioae.errors import SearchError
from audioae.plan.estimate import Plan
from audioae.plan.machine import Machine
from audioae.plan.numbers import in_bytes, in_time

LONGEST_S = 30 * 86400.0
LARGEST = 10**12
MOST_PARTS = 100_000
LARGEST_DATABASE = 2.0**31  # the Prefect server's SQLite: beyond some GiB its pages take seconds


@dataclass(frozen=True)
class Limit:
    """A limit that `n` tracks break, in words."""

    n: int
    name: str
    words: str


def broken(plan: Plan, machine: Machine) -> list[tuple[str, str]]:
    """The limits that a plan breaks, each with a sentence that says what to do."""
    largest = max(plan.stages, key=lambda stage: stage.memory)
    tests = [
        (
            "memory",
            largest.memory > machine.memory,
            f"{largest.stage} needs {in_bytes(largest.memory)} of memory, this machine has "
            f"{in_bytes(machine.memory)}: run it on a larger one",
        ),
        (
            "index",
            plan.index.serve_bytes > machine.memory,
            f"the index ({plan.index.factory}) has {in_bytes(plan.index.serve_bytes)}, more than the "
            f"{in_bytes(machine.memory)} of memory here: set index.memory_bytes, or serve it from a larger machine",
        ),
        (
            "disk",
            machine.disk is not None and plan.disk > machine.disk,
            f"the store needs {in_bytes(plan.disk)}, its disk has {in_bytes(machine.disk or 0)} free: set "
            "mels.max_stored_tracks, or use a store on s3://",
        ),
        (
            "time",
            plan.seconds > LONGEST_S,
            f"the run takes {in_time(plan.seconds)}, more than 30 days: use more workers (--workers) or GPUs (--gpus)",
        ),
        (
            "parts",
            plan.shards > MOST_PARTS,
            f"{plan.shards:,} parts per dataset make each run list and read long manifests: raise catalog.shard_tracks",
        ),
        (
            "database",
            plan.database > LARGEST_DATABASE,
            f"one run leaves {in_bytes(plan.database)} in the database of the Prefect server",
        ),
    ]
    return [(name, words) for name, is_broken, words in tests if is_broken]


def first_limit(plan_of: Callable[[int], Plan], n: int, machine: Machine) -> Limit | None:
    """The limit that breaks first as the catalog grows, below or above `n`; None up to 10^12 tracks."""

    def breaks(size: int) -> list[tuple[str, str]]:
        try:
            return broken(plan_of(size), machine)
        except SearchError as error:
            return [("index", str(error))]

    high = n
    while not breaks(high):
        if high >= LARGEST:
            return None
        high *= 2
    low = 1 if high == n else high // 2
    while high - low > max(low // 100, 1):
        middle = (low + high) // 2
        low, high = (low, middle) if breaks(middle) else (middle, high)
    name, words = breaks(high)[0]
    return Limit(high, name, words)
