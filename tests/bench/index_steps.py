"""CPU time and memory of the steps of an index: train, fill the lists, merge and measure; each in its own process.

`python -m tests.bench.index_steps STORE [KEY=VALUE ...]` on a store of `made_catalog`, with keys of `IndexConfig`. The
lists stay in the store; the merged index is deleted.

Conventions
-----------
- `anonymous` is the peak of the memory that belongs to the process alone: without the mapped index and other files,
  which the system may drop at any time. `peak` counts them too.
"""

import json
import subprocess
import sys
import threading
import time

from audioae.config import parse_config
from audioae.pipeline.index import index_files
from audioae.pipeline.index_lists import compute_index, pending_index, train_index
from audioae.search.factory import IndexConfig
from audioae.store.artifacts import staging
from audioae.store.dataset import Store

STEPS = ("train", "fill", "merge")


def run_step(step: str, root: str, settings: dict[str, str]) -> dict[str, object]:
    """Do one step; what the gate measured belongs to the last one."""
    peak = [0]
    threading.Thread(target=lambda: _watch(peak), daemon=True).start()
    store, config, gate = Store(root, verify=False), parse_config(IndexConfig, settings, where="index"), {}
    embeddings = store.require("embeddings")
    begun, cpu = time.monotonic(), time.process_time()
    training = train_index(store, config, embeddings)
    if step == "fill" and training:
        compute_index(store, embeddings, training, pending_index(store, embeddings, training))
    if step == "merge":
        with staging(store, "index") as folder:
            gate = index_files(store, config, embeddings, training, folder).gate
    memory = {"anonymous_mib": peak[0], "peak_mib": _status("VmHWM")}
    seconds = {"seconds": round(time.monotonic() - begun, 1), "cpu_s": round(time.process_time() - cpu, 1)}
    return {"step": step, "n": store.manifest(embeddings).rows, **seconds, **memory, **gate}


def _watch(peak: list[int]) -> None:
    while True:
        peak[0] = max(peak[0], _status("RssAnon"))
        time.sleep(0.05)


def _status(name: str) -> int:
    """A line of /proc/self/status, in MiB."""
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) // 1024 for line in stream if line.startswith(f"{name}:"))


if __name__ == "__main__":
    if sys.argv[1] in STEPS:
        settings = dict(pair.split("=", 1) for pair in sys.argv[3:])
        print(json.dumps(run_step(sys.argv[1], sys.argv[2], settings)))
    else:
        for step in STEPS:
            subprocess.run([sys.executable, "-m", "tests.bench.index_steps", step, *sys.argv[1:]], check=True)
