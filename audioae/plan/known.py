"""Figures that a sample cannot give, because they show only at size: memory, whole-catalog stages, recall and speed.

Source: the commands named beside the figures, on two cores of a shared machine in November 2026. They are rough, and a
plan says so.
"""

from typing import NamedTuple

MIB = 2.0**20


class KnownSearch(NamedTuple):
    """An index that was measured: recall@10 at its gate, and questions per second of one core, one at a time."""

    n: int
    factory: str
    recall: float
    single_per_s: float


# Fixed bytes, and bytes per track (per clip for `train`), of the largest process of a stage. catalog: .9 GB at 1 M and
# 1.1 GB at 2.5 M tracks; mels and embed: 810 to 845 MiB whatever the shard (`tests.pipeline.big_shard`); train: a copy
# of the clips; screen: check duplicate, 187 MiB at 100,000 and 456 MiB at 1 M, on top of check mislabeled's sample;
# map: a sample of 100,000 tracks, at any size above that.
MEMORY = {
    "catalog": (700 * MIB, 145.0),
    "mels": (810 * MIB, 0.0),
    "train": (1100 * MIB, 16_640.0),
    "embed": (845 * MIB, 0.0),
    "map": (1500 * MIB, 0.0),
    "screen": (700 * MIB, 313.0),
}

# Fixed seconds, seconds per track on one core, decodes per track, and bytes per track in the store. The checks together
# took 42 s of CPU at 100,000 tracks (`tests.bench.grow_screening`), and the sample that is decoded half a minute.
# The map took 17 s at 176 tracks, and 179 s at 1 M.
SECONDS = {"map": (17.0, 0.00016, 0.0, 20.0), "screen": (30.0, 0.0004, 0.0, 260.0)}

# `gate.json` of `python -m tests.bench.made_catalog FOLDER 1000000`: 500 held-out queries, recall .960 +- .004, median
# .19 ms.
KNOWN_SEARCHES = (KnownSearch(1_000_000, "IVF1024,PQ128x4fs,RFlat", 0.960, 5_200.0),)
