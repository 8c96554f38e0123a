"""Run benchmarks and print each figure with its bar: `uv run python -m tests.bench [subject ...]`; default: all.

The exit status is 1 if a bar was missed, unless `--allow-missed` is given, as for a report; 2 for an unknown subject.
"""

import argparse
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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Print each figure with its bar.")
    parser.add_argument("subjects", nargs="*", help="default: all")
    parser.add_argument("--allow-missed", action="store_true", help="exit with 0 although bars were missed")
    options = parser.parse_args(arguments)
    names = options.subjects
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    if unknown := sorted(set(names) - set(known)):
        print(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(known)}")
        return 2
    rows = []
    for name in names or known:
        print(f"-- {name}", flush=True)
        for row in importlib.import_module(f"tests.bench.bench_{name}").measure():
            print(row)
            rows.append({"benchmark": name, **asdict(row), "met": row.met})
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    result = {"date": date.today().isoformat(), "machine": machine, "rows": rows}
    path = HERE / "results" / f"bench-{'-'.join(names) or 'all'}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    met, missed, without = (sum(row["met"] is verdict for row in rows) for verdict in (True, False, None))
    print(f"{met} of {met + missed} bars met, figures without a bar: {without}; written to {path}")
    return 0 if options.allow_missed or not missed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
