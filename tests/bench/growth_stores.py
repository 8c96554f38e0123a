"""What the benchmark of growth measures against: a made store of each size, and a process that does nothing."""

from pathlib import Path

from tests.bench.made_catalog import million


def nothing(root: Path, n: int) -> None:
    """The cost of a process that does nothing."""


def make(root: Path, n: int) -> None:
    """The made store of n tracks in `root`, unless it is there."""
    million(root, n, health=True)
