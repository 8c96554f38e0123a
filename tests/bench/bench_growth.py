"""How seconds and memory of every stage and command grow with the catalog: no exponent above 1.1.

`python -m tests.bench growth` at 10,000, 100,000 and 1,000,000 made tracks; `AUDIOAE_GROWTH_SIZES=10000,100000` sets
other sizes, `AUDIOAE_GROWTH_CASES=embed;index` chooses cases, and `AUDIOAE_GROWTH_ROOT` is a folder where the made
stores are kept (15 GB at 10,000,000). See `growth` for what is measured.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import grow_screening
from tests.bench.growth import EXPONENT, Point, exponent, measure_case
from tests.bench.harness import Row

SIZES = (10_000, 100_000, 1_000_000)
CASES = {
    "catalog": "grow_catalog:first",
    "catalog, unchanged": "grow_catalog:again",
    "catalog, 1 % more": "grow_catalog:grown",
    "embed": "grow_chain:embed",
    "embed, nothing to do": "grow_chain:embed_again",
    "index": "grow_chain:index",
    "open a library, ask once": "grow_store:open_library",
    "100 questions": "grow_store:similar",
    "10 misspelled titles": "grow_store:close_titles",
    "a playlist of 25": "grow_store:playlist",
    "coverage": "grow_store:coverage",
    "export embeddings": "grow_store:export",
    "versions": "grow_store:versions",
    "fsck": "grow_store:check",
    "prune": "grow_store:prune_nothing",
}
SCREENING = ("mislabeled", "corrupt", "duplicate", "similar", "map", "findings", "summary", "report", "evaluate")
MEMORY_MIB = 4096.0  # at any size
LEAST_S, LEAST_MIB = 0.5, 50.0  # what is less says nothing about growth


def measure() -> Iterator[Row]:
    sizes = [int(size) for size in os.environ.get("AUDIOAE_GROWTH_SIZES", "").split(",") if size] or list(SIZES)
    chosen = [name for name in os.environ.get("AUDIOAE_GROWTH_CASES", "").split(";") if name]
    with tempfile.TemporaryDirectory(prefix="audioae-growth-") as folder:
        root = Path(os.environ.get("AUDIOAE_GROWTH_ROOT", folder))
        fixed = measure_case("growth_stores:nothing", root, 0)
        for n in sizes:
            measure_case("growth_stores:make", root / str(n), n)
        for name, case in CASES.items():
            if not chosen or name in chosen:
                yield from _rows(name, [measure_case(case, root / str(n), n) for n in sizes], fixed)
        for stage in SCREENING:
            if not chosen or stage in chosen:
                yield from _rows(stage, [_screened(root / str(n), n, stage) for n in sizes], fixed)


def _screened(root: Path, n: int, stage: str) -> Point:
    """A stage of screening, or a table or report on it."""
    taken = grow_screening.measure(root, stage)
    return Point(stage, n, taken["cpu_s"], taken["wall_s"], taken["peak_mib"], taken["anonymous_mib"])


def _rows(name: str, points: list[Point], fixed: Point) -> list[Row]:
    sizes, largest = [point.n for point in points], points[-1]
    seconds, memory = [point.cpu_s for point in points], [point.anonymous_mib for point in points]
    figures = ", ".join(f"{point.n:,}: {point.cpu_s:.2f} s, {point.anonymous_mib:.0f} MiB" for point in points)
    return [
        Row(
            f"{name}: exponent of CPU time",
            exponent(sizes, seconds, fixed.cpu_s, LEAST_S),
            EXPONENT,
            "",
            figures,
            False,
        ),
        Row(
            f"{name}: exponent of memory",
            exponent(sizes, memory, fixed.anonymous_mib, LEAST_MIB),
            EXPONENT,
            "",
            "",
            False,
        ),
        Row(f"{name}: memory at {largest.n:,}", largest.anonymous_mib, MEMORY_MIB, "MiB", "", False),
    ]
