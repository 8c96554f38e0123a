"""What a run costs that has nothing to do, or 1 % new tracks, and the check of a store: `python -m tests.bench rerun`.

`AUDIOAE_RERUN_SIZES=100000` sets other sizes than 100,000 and 1,000,000 made tracks.
"""

import os
import tempfile
from pathlib import Path

from tests.bench.growth import EXPONENT, exponent, measure_case
from tests.bench.harness import Row

CASES = {"nothing to do": "rerun", "1 % more tracks": "grown", "verify": "verify"}
BARS_S = {"nothing to do": 10.0}  # of CPU, at the largest size


def measure() -> list[Row]:
    sizes = [int(size) for size in os.environ.get("AUDIOAE_RERUN_SIZES", "100000,1000000").split(",")]
    rows = []
    with tempfile.TemporaryDirectory(prefix="audioae-rerun-", dir=os.environ.get("AUDIOAE_GROWTH_ROOT")) as folder:
        fixed = measure_case("growth_stores:nothing", Path(folder), 0)
        for name, case in CASES.items():
            points = [measure_case(f"grow_rerun:{case}", Path(folder) / str(n), n) for n in sizes]
            at, bar = f"{name} at {sizes[-1]:,} tracks", BARS_S.get(name)
            rows.append(Row(f"{at}: CPU", points[-1].cpu_s, bar, "s", higher_is_better=False))
            rows.append(Row(f"{at}: memory", points[-1].anonymous_mib, 4096, "MiB", higher_is_better=False))
            if len(sizes) > 1:
                slope = exponent(sizes, [point.cpu_s for point in points], fixed.cpu_s)
                note = ", ".join(f"{point.cpu_s:.2f} s at {point.n:,}" for point in points)
                rows.append(Row(f"{name}: exponent", slope, EXPONENT, "", note, higher_is_better=False))
    return rows
