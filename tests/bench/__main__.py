"""Run benchmarks and print each figure with its bar: `uv run python -m tests.bench [subject ...]`; default: all."""

import importlib
import json
import os
import platform
import sys
import warnings
from dataclasses import asdict
from datetime import date
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

warnings.filterwarnings("ignore", module="librosa|tests.bench")  # librosa's, about its own fallback for m4a

HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    if unknown := sorted(set(names) - set(known)):
        print(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(known)}")
        return 2
    rows = []
    for name in names or known:
        print(f"-- {name}", flush=True)
        for row in importlib.import_module(f"tests.bench.bench_{name}").measure():
            bar = f"{'>=' if row.higher_is_better else '<='} {row.bar:g}{row.unit}"
            print(
                f"{row.name:<62} {row.value:>9.3g}{row.unit:<3} {bar:>12}  {'met' if row.met else 'MISSED'}  {row.note}"
            )
            rows.append({"benchmark": name, **asdict(row), "met": row.met})
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    result = {"date": date.today().isoformat(), "machine": machine, "rows": rows}
    path = HERE / "results" / f"bench-{'-'.join(names) or 'all'}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{sum(row['met'] for row in rows)} of {len(rows)} bars met; written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
