"""A soak of `audioae serve`: minutes of questions, uploads, swaps and killed workers, and what failed of it.

    python -m tests.bench.soak_serve --minutes 10 --out soak.json                # a made store
    python -m tests.bench.soak_serve --minutes 10 --store data --file a.wav      # a real one, with uploads

Conventions
-----------
- Questions come on new and on kept connections. A request that is lost because its own worker was killed by -9 counts
  as `lost_with_worker`: its connection broke within a second of a kill. Every other failure counts as `failed`.
- 503 with Retry-After (a full queue) is `refused`: the server's way to stay alive, not a failure.
- Memory is the sum of private and proportional shared memory (PSS) of all processes of the server, once a second; its
  slope is fitted to the second half.
"""

import argparse
import json
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np

from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.serve.auth import hash_key
from audioae.store.dataset import Store
from tests.processes import Run
from tests.serve.serving import catalog_store

KEY = "soak"
KILL_S, SWAP_S = 8.0, 1.0


class Soak:
    """What happens at the same time, and what came of it."""

    def __init__(self, url: str, ids: list[str], file: Path | None):
        self.url, self.ids, self.file = url, ids, file
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.ms: list[float] = []
        self.killed_at = 0.0
        self.stopping = threading.Event()

    def ask(self, *, reuse: bool) -> None:
        """Questions, one after the other."""
        client = self._client()
        while not self.stopping.is_set():
            if not reuse:
                client.close()
                client = self._client()
            seed = {"track_id": random.choice(self.ids)}
            self._send("question", client, "POST", "/v1/similar", json={"seeds": [seed], "k": 10})
        client.close()

    def upload(self) -> None:
        """Uploads, one after the other."""
        assert self.file is not None
        content = self.file.read_bytes()
        while not self.stopping.is_set():
            with self._client() as client:
                files = {"file": (self.file.name, content)}
                self._send("upload", client, "POST", "/v1/similar:file", files=files)

    def swap(self, indexes: list[str]) -> None:
        """Another index every few seconds."""
        i = 0
        while not self.stopping.wait(SWAP_S):
            i += 1
            with self._client() as client:
                self._send("swap", client, "POST", "/v1/index:reload", json={"index": indexes[i % len(indexes)]})

    def kill(self, workers) -> None:
        """Kill a worker every now and then."""
        while not self.stopping.wait(KILL_S):
            self.killed_at = time.monotonic()
            os.kill(random.choice(workers()), signal.SIGKILL)
            self.counts["kills"] += 1

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"X-API-Key": KEY}, timeout=60)

    def _send(self, kind: str, client: httpx.Client, method: str, path: str, **content) -> None:
        start = time.monotonic()
        try:
            answer = client.request(method, path, **content)
        except httpx.HTTPError as error:
            lost = self.killed_at and start - 1 <= self.killed_at <= time.monotonic() + 1
            self.counts[f"{kind} {'lost_with_worker' if lost else 'failed'}"] += 1
            if not lost:
                self.failures.append(f"{kind}: {error!r}")
            return
        if answer.status_code == 200:
            self.counts[f"{kind} ok"] += 1
            if kind == "question":
                self.ms.append((time.monotonic() - start) * 1000)
        elif answer.status_code == 503 and "retry-after" in answer.headers:
            self.counts[f"{kind} refused"] += 1
        else:
            self.counts[f"{kind} failed"] += 1
            self.failures.append(f"{kind}: {answer.status_code} {answer.text[:300]}")


def soak(store: Store, minutes: float, file: Path | None, workers: int, folder: Path) -> dict:
    """Serve `store` for so many minutes under load, and count."""
    keys = folder / "keys"
    keys.write_text(f"soak:{hash_key(KEY)}:admin\n")
    embeddings, first = store.require("embeddings"), store.require("index")
    indexes = [str(first), str(build_index(store, IndexConfig(seed=1), embeddings))]
    ids = store.read(embeddings, ["track_id"])["track_id"].to_pylist()[:10_000]
    options = ["--port", "0", "--workers", str(workers), "--keys-file", str(keys), "--no-access-log"]
    run = Run([sys.executable, "-m", "audioae", "serve", "--store", store.root, *options], folder / "log")
    try:
        run.wait_until(lambda: "API at /docs" in run.printed)
        found = re.search(r"^(http://\S+)  ", run.printed, re.MULTILINE)
        assert found
        own = run.process.pid

        def of_server() -> list[int]:
            return [int(line.split()[0]) for line in run.processes()]

        def killable() -> list[int]:
            return [pid for pid in of_server() if _parent(pid) == own]

        state = Soak(found[1], ids, file)
        jobs = [(state.ask, {"reuse": True})] * 4 + [(state.ask, {"reuse": False})] * 2
        jobs += [(state.swap, {"indexes": indexes}), (state.kill, {"workers": killable})]
        jobs += [(state.upload, {})] * 2 if file else []
        threads = [threading.Thread(target=target, kwargs=arguments, daemon=True) for target, arguments in jobs]
        for thread in threads:
            thread.start()
        memory = _watch(of_server, minutes * 60)
        state.stopping.set()
        for thread in threads:
            thread.join(90)
        status, seconds, _ = run.end_by(signal.SIGTERM)
        half = memory[len(memory) // 2 :]
        whole = [sample for sample in half if sample[2] == max(n for _, _, n in half)]  # nobody is being replaced
        times, sizes = [moment for moment, *_ in whole], [mib for _, mib, _ in whole]
        slope = np.polyfit(times, sizes, 1)[0] * 60 if len(whole) > 2 else float("nan")
        return {
            "minutes": minutes,
            "workers": workers,
            "counts": dict(sorted(state.counts.items())),
            "failures": state.failures[:20],
            "question_ms": dict(
                zip(("p50", "p99", "max"), np.percentile(state.ms, [50, 99, 100]).tolist(), strict=True)
            ),
            "memory_mib": {"first": memory[0][1], "last": memory[-1][1], "max": max(mib for _, mib, _ in memory)},
            "memory_slope_mib_per_minute": float(slope),
            "exit_status": status,
            "seconds_to_end": seconds,
            "processes_left": run.processes(),
        }
    finally:
        run.kill()


def _watch(processes, seconds: float) -> list[tuple[float, float, int]]:
    """Seconds, memory in MiB and number of processes, once a second."""
    start, found = time.monotonic(), []
    while (passed := time.monotonic() - start) < seconds:
        pids = processes()
        found.append((passed, sum(map(_pss_mib, pids)), len(pids)))
        time.sleep(1)
    return found


def _pss_mib(pid: int) -> float:
    try:
        found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", help="a store; another index is added to it. Default: a made one")
    parser.add_argument("--file", type=Path, help="an audio file to upload; needs a store with a real model")
    parser.add_argument("--out", type=Path, default=Path("soak.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(arguments.store) if arguments.store else catalog_store(folder)
        result = soak(store, arguments.minutes, arguments.file, arguments.workers, folder)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    failed = [kind for kind in result["counts"] if kind.endswith(" failed")]
    sys.exit(1 if failed or result["processes_left"] or result["exit_status"] else 0)


if __name__ == "__main__":
    main()
