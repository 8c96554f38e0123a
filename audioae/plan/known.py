"""Figures that a sample cannot give, because they show only at size: memory, whole-catalog stages, recall and speed.

Source: `python -m tests.bench growth` and `python -m tests.bench index`, whose results are in tests/bench/results; the
date and the machine are there.
"""

from typing import NamedTuple

MIB = 2.0**20


class KnownSearch(NamedTuple):
    """An index that was measured: recall@10, and questions per second of one core, one at a time and in batches."""

    n: int
    factory: str
    recall: float
    single_per_s: float
    batch_per_s: float


# Fixed bytes, and bytes per track (per clip for `train`), of the largest process of a stage.
MEMORY = {
    "catalog": (300 * MIB, 100.0),
    "mels": (700 * MIB, 1.0),
    "train": (1200 * MIB, 16_640.0),
    "embed": (900 * MIB, 1.0),
    "screen": (900 * MIB, 300.0),
}

# Fixed seconds, seconds per track on one core, decodes per track, and bytes per track in the store.
SECONDS = {"screen": (30.0, 0.002, 0.0, 60.0)}

KNOWN_SEARCHES: tuple[KnownSearch, ...] = ()
