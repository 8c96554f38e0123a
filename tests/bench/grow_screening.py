"""One stage of screening, tables or reports on a made store of any size, in a process of its own.

`python -m tests.bench.grow_screening ROOT STAGE` prints its seconds and its memory as JSON. `tests.bench growth` calls
`measure` at several sizes and fits the exponents. ROOT is a store of `tests.bench.made_catalog` with `--health`.

Conventions
-----------
- `peak_mib` is the largest resident set, with the pages of mapped files; `anonymous_mib` is without them: the memory
  that the system cannot take back.
- A stage works in a copy of the store that shares its parts by hard links, so it always starts from nothing.
- The made tracks have no audio. Where a stage would decode a sample, `corrupt` gets made evidence, and the others get
  a sentence on files that are missing.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audioae.config import parse_config
from audioae.pipeline.config import Workers
from audioae.screening.config import ScreenConfig
from audioae.screening.findings import open_findings
from audioae.screening.run import screen_store
from audioae.store.dataset import Store

CHECKS = ("mislabeled", "corrupt", "duplicate")


def measure(root: Path, stage: str) -> dict[str, float]:
    """Run a stage in a process of its own: `cpu_s`, `wall_s`, `peak_mib`, `anonymous_mib`."""
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        copy = Path(folder) / "store"
        shutil.copytree(root, copy, copy_function=os.link)
        for before in NEEDS.get(stage, ()):
            _run(copy, before)
        return json.loads(_run(copy, stage).splitlines()[-1])


def _run(root: Path, stage: str) -> str:
    command = [sys.executable, "-m", "tests.bench.grow_screening", str(root), stage]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _screen(check: str) -> Callable[[Store], Any]:
    def run(store: Store) -> None:
        if check == "corrupt":
            _make_versions_up()
        config = parse_config(ScreenConfig, {name: None for name in CHECKS if name != check}, where="bench")
        screen_store(store, config, store.require("index"), Workers(1))

    return run


def _make_versions_up() -> None:
    """Let check corrupt train on made evidence, since there is no audio that faults could be added to."""
    from audioae.screening.corrupt import features, screen
    from audioae.screening.corrupt.rules import derive
    from tests.screening.corrupt.made import evidence

    def make_versions(library: Any, tracks: Any, sample: np.ndarray, *_: Any) -> features.Versions:
        columns = derive(evidence(2 * len(sample), 1), np.zeros(2 * len(sample), bool))
        columns["hum_line_db"][1::2] += 20
        kinds = np.where(np.arange(2 * len(sample)) % 2, "hum", "").astype(object)
        return features.Versions(np.repeat(sample, 2), kinds, columns)

    screen.make_versions = make_versions


def _similar(store: Store) -> None:
    from audioae.similarity.table import SimilarConfig, publish_similar

    publish_similar(store, SimilarConfig(), store.require("index"))


def _map(store: Store) -> None:
    from audioae.maps.config import MapConfig
    from audioae.maps.table import publish_map

    publish_map(store, MapConfig(), store.require("index"))


def _findings(store: Store) -> None:
    """What `audioae findings` reads: the overview, and the worst of a check."""
    opened = open_findings(store)
    opened.overview()
    opened.worst(next(iter(opened.screenings)), 20)


def _summary(store: Store) -> None:
    from audioae.report.run_summary import summarize

    summarize(store, store.require("index"), {}, store.latest("findings"))


def _report(store: Store) -> None:
    from audioae.report.build import make_report

    make_report(store, workers=Workers(1))


def _vectors(store: Store) -> None:
    """The tracks that `audioae evaluate` measures."""
    from audioae.library.track_vectors import vectors_from_store

    vectors_from_store(store, store.require("embeddings"), 2000)


STAGES: dict[str, Callable[[Store], Any]] = {
    **{check: _screen(check) for check in CHECKS},
    "similar": _similar,
    "map": _map,
    "findings": _findings,
    "summary": _summary,
    "report": _report,
    "evaluate": _vectors,
}
NEEDS = {"findings": ("corrupt",), "report": ("corrupt",), "summary": ("corrupt",)}


class _Anonymous(threading.Thread):
    """Samples the memory that is not of files, in KiB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.02):
            status = Path("/proc/self/status").read_text()
            self.peak = max(self.peak, int(status.split("RssAnon:")[1].split()[0]))


def main(root: str, stage: str) -> None:
    sampler = _Anonymous()
    sampler.start()
    wall, cpu = time.monotonic(), time.process_time()
    STAGES[stage](Store(root))
    result = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sampler.stop.set()
    result |= {"peak_mib": peak / 1024, "anonymous_mib": sampler.peak / 1024}
    print(json.dumps({name: round(value, 2) for name, value in result.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
