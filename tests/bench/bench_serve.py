"""`audioae serve` under load, among 1,000,000 tracks: what a request costs beside its search, and what holds it up.

    python -m tests.bench serve                              # all parts, some minutes
    python -m tests.bench.bench_serve single batch --n 100000    # some parts, on a smaller catalog

Each part starts real servers, with a key and with an access log, and loads them with wrk. Costs are CPU seconds: of the
server's processes per request, against those of the bare FAISS index per query for the same k, on one thread, in turn.
Set AUDIOAE_MILLION to a folder to keep the made catalog. `uploads` needs a store with a model: that in AUDIOAE_STORE
(default: data, the demo's).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import numpy as np
from threadpoolctl import threadpool_limits

import audioae
from audioae.api import Library
from audioae.pipeline.index_neighbors import FILE
from audioae.search import engine
from audioae.search.index import SearchIndex
from audioae.store.artifacts import artifact_path, commit_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from tests.bench.harness import Row
from tests.bench.made_catalog import LABELS, million
from tests.bench.server_process import ServerProcess, serving
from tests.bench.wrk import Load, Wrk, finish

N = 1_000_000
K = 10
BATCH = 256
SECONDS = 5
ROUNDS = 3
SWAPS = 100
REQUESTS = 100_000


def measure(parts: tuple[str, ...] = (), n: int = N) -> list[Row]:
    import faiss

    faiss.omp_set_num_threads(1)
    rows = []
    with threadpool_limits(1), _catalog(n) as store, tempfile.TemporaryDirectory() as folder:
        bench = Bench(store, Path(folder))
        for name in parts or tuple(PARTS):
            print(f"   {name}", file=sys.stderr, flush=True)
            rows += PARTS[name](bench)
    return rows


@contextmanager
def _catalog(n: int) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        yield million(Path(os.environ.get("AUDIOAE_MILLION", folder)), n)


class Bench:
    """The catalog that is served, and what is asked about it."""

    def __init__(self, store: Store, folder: Path):
        self.store, self.folder = store, folder
        self.library: Library = audioae.open(store.root)
        self.library.warm()
        rng, index = np.random.default_rng(1), self.library.index
        self.chosen = rng.choice(len(index), min(5000, len(index)), replace=False)
        self.ids = index.ids.take(self.chosen).to_pylist()
        self._raw, self._parameters = index._index, engine.search_parameters(index._index, index.parameters)

    def serving(self, *options: str):
        return serving(self.store.root, self.folder, *options)

    def similar(self, **options: object) -> list[str]:
        """Bodies of `/v1/similar`, one for each chosen track."""
        return [json.dumps({"seeds": [{"track_id": i}], "k": K, **options}) for i in self.ids]

    def raw_s(self, n: int, per_search: int) -> float:
        """CPU seconds per query of the bare index."""
        queries = self.library.index.embeddings(self.chosen[:n])
        start = time.process_time()
        for first in range(0, n, per_search):
            self._raw.search(queries[first : first + per_search], K, params=self._parameters)
        return (time.process_time() - start) / n

    def ratio(self, server: ServerProcess, wrk: Wrk, connections: int, per_request: int) -> tuple[float, float, str]:
        """Raw CPU per query over the server's, requests per CPU second, and a note; of the median round."""
        wrk.run(1, connections)
        self.raw_s(512, per_request)
        rounds = []
        for _ in range(ROUNDS):
            before, start = self.raw_s(1024, per_request), server.cpu_s()
            load = _sound(wrk.run(SECONDS, connections))
            served = (server.cpu_s() - start) / load.n
            raw = (before + self.raw_s(1024, per_request)) / 2
            rounds.append((raw * per_request / served, 1 / served, load, raw))
        ratio, per_core, load, raw = sorted(rounds, key=lambda one: one[0])[ROUNDS // 2]
        note = f"{1e6 / per_core / per_request:.0f} us per query beside {1e6 * raw:.0f} us of search; "
        note += f"{load.per_second * per_request:.0f} queries/s, p50 {load.p50_ms:.1f} ms"
        return ratio, per_core, note


def single(bench: Bench) -> list[Row]:
    """Requests per core over raw queries per core; then the latency at half of that rate."""
    with bench.serving() as server:
        wrk = Wrk(server.url, "/v1/similar", bench.similar(), server.headers)
        ratio, per_core, note = bench.ratio(server, wrk, 8, 1)
        slow = _sound(wrk.run(2 * SECONDS, 32, per_core / 2))
    return [
        Row("single /v1/similar, requests per core / raw queries per core", ratio, 0.20, note=note),
        Row("... p99 at half that rate", slow.p99_ms, 10.0, "ms", _rate(slow), False),
    ]


def batch(bench: Bench) -> list[Row]:
    """Queries of full batches per core over raw batch queries per core."""
    queries = [json.loads(body) for body in bench.similar()]
    parts = [queries[i : i + BATCH] for i in range(0, len(queries) - BATCH + 1, BATCH)]
    with bench.serving() as server:
        wrk = Wrk(server.url, "/v1/similar:batch", [json.dumps({"queries": part}) for part in parts], server.headers)
        ratio, _, note = bench.ratio(server, wrk, 2, BATCH)
    return [Row(f"batch of {BATCH}, queries per core / raw batch", ratio, 0.6, note=note)]


def filtered(bench: Bench) -> list[Row]:
    """The latency under filters of 1 % and 10 % of the tracks, at half the rate of one connection."""
    rows = []
    with bench.serving() as server:
        for label in LABELS:
            wrk = Wrk(server.url, "/v1/similar", bench.similar(filters={"label": label}), server.headers)
            fastest = _sound(wrk.run(2, 1))
            load = _sound(wrk.run(SECONDS, 8, fastest.per_second / 2))
            rows.append(Row(f"filtered to {label}, p99", load.p99_ms, 25.0, "ms", _rate(load), False))
    return rows


def start(bench: Bench) -> list[Row]:
    """CPU until ready, and memory beside the index, of one worker and of a second."""
    memory = []
    for workers in (1, 2):
        with bench.serving("--workers", str(workers)) as server:
            cpu_s = server.started_s
            wrk = Wrk(server.url, "/v1/similar", bench.similar(), server.headers)
            before = server.memory()
            _sound(wrk.run(2, 16))
            memory.append((before.beside, server.memory().beside, cpu_s))
    codes = _copied_codes(bench.library)
    (one, used, cpu_s), (two, _, _) = memory
    note = f"{one:.0f} MiB less {codes:.0f} of codes that FAISS copies; after a load {used - codes:.0f}"
    return [
        Row("start to ready, CPU", cpu_s, 3.0, "s", "supervisor and one worker", False),
        Row("memory beside the index", one - codes, 150.0, "MiB", note, False),
        Row("... of a second worker", two - one, 100.0, "MiB", "its copy of the codes included", False),
    ]


def swaps(bench: Bench) -> list[Row]:
    """Failed requests while the index is swapped to and fro."""
    store = million(bench.folder / "small", 60_000)
    indexes = [str(store.require("index")), str(_again(store))]
    with serving(store.root, bench.folder) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        ids = audioae.open(store.root).index.ids.to_pylist()[:1000]
        wrk = Wrk(server.url, "/v1/similar", [json.dumps({"seeds": [{"track_id": i}]}) for i in ids], server.headers)
        with _background(wrk, 300, 8) as loading:
            for i in range(SWAPS):
                body = {"index": indexes[(i + 1) % 2]}
                client.post("/v1/index:reload", json=body, headers=server.headers).raise_for_status()
            load = loading()
    note = f"{load.n} requests in {load.seconds:.0f} s, p99 {load.p99_ms:.0f} ms"
    return [Row(f"{SWAPS} swaps under load, failed requests", load.bad + load.broken, 0, "", note, False)]


def kill(bench: Bench) -> list[Row]:
    """Failed requests of connections made after one of two workers was killed."""
    with bench.serving("--workers", "2") as server:
        wrk = Wrk(server.url, "/v1/similar", bench.similar(), server.headers)
        _sound(wrk.run(1, 8))
        server.kill_worker()
        load = wrk.run(SECONDS, 8)
    return [Row("one of two workers killed, failed requests", load.bad + load.broken, 0, "", _rate(load), False)]


def slope(bench: Bench) -> list[Row]:
    """Growth of memory from the first fifth of 100,000 requests to the last, 32 connections."""
    with bench.serving() as server:
        wrk, done, sizes = Wrk(server.url, "/v1/similar", bench.similar(), server.headers), 0, []
        while done < REQUESTS:
            done += _sound(wrk.run(SECONDS, 32)).n
            sizes.append((done, server.memory().anonymous))  # pages of mapped files come and go
    settled = np.array([size for size in sizes if size[0] >= done / 5])
    per_100k = float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0] * 100_000) if len(settled) > 1 else float("nan")
    note = f"{done} requests; {sizes[0][1]:.1f} to {sizes[-1][1]:.1f} MiB"
    return [Row("memory slope per 100,000 requests from 32 connections", per_100k, 1.0, "MiB", note, False)]


def uploads(bench: Bench) -> list[Row]:
    """The latency of /livez while four files are decoded at a time."""
    store = os.environ.get("AUDIOAE_STORE", "data")
    if not (Path(store) / "index" / "LATEST").exists():
        raise SystemExit(f"{store}: no store there; run `audioae demo`, or name one with AUDIOAE_STORE")
    song = bench.folder / "song.wav"
    _write_song(song)
    with serving(store, bench.folder, "--config", _config(bench.folder, decoders=4)) as server:
        command = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}\n", "-F", f"file=@{song}"]
        command += ["-H", f"X-API-Key: {server.headers['X-API-Key']}", f"{server.url}/v1/embed"]
        subprocess.run(command, check=True, capture_output=True)
        begin = partial(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
        sending = [begin() for _ in range(4)]
        statuses = []
        with _background(Wrk(server.url, "/livez"), 15, 2, 200) as loading:
            while len(statuses) < 16:
                statuses.append(sending.pop(0).communicate()[0].strip())
                sending.append(begin())
            load = loading()
        statuses += [process.communicate()[0].strip() for process in sending]
    note = f"{_rate(load)}; {statuses.count('200')} of {len(statuses)} files embedded"
    return [Row("/livez while 4 uploads decode, p99", load.p99_ms, 50.0, "ms", note, False)]


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    part.__name__: part for part in (start, single, batch, filtered, slope, kill, swaps, uploads)
}


def _sound(load: Load) -> Load:
    """A load without errors: figures of requests that failed would be about something else."""
    if load.bad or load.broken or not load.n:
        raise RuntimeError(f"requests failed: {load}")
    return load


def _rate(load: Load) -> str:
    return f"{load.per_second:.0f} requests/s, p50 {load.p50_ms:.2f} ms, longest {load.max_ms:.1f} ms"


@contextmanager
def _background(wrk: Wrk, seconds: float, connections: int, rate: float | None = None) -> Iterator[Callable[[], Load]]:
    """A load beside other things; calling what is yielded ends it early, and returns its figures."""
    with tempfile.TemporaryDirectory() as folder:
        process = wrk.start(Path(folder), seconds, connections, rate)

        def end() -> Load:
            process.send_signal(2)  # wrk reports on SIGINT
            return finish(process)

        try:
            yield end
        finally:
            process.kill()


def _copied_codes(library: Library) -> float:
    """MiB of 4-bit codes, which FAISS copies out of the mapped file: half a byte per dimension of PQ."""
    _, _, rest = library.index.factory.partition(",PQ")
    return len(library) * int(rest.split("x4fs")[0]) / 2 / 2**20 if "x4fs" in rest else 0.0


def _again(store: Store) -> DatasetRef:
    """Publish the same index once more, under another version."""
    ref = store.require("index")
    names = (*SearchIndex.FILES, "gate.json", FILE)
    files = {name: artifact_path(store, ref, name).read_bytes() for name in names}
    parents = [DatasetRef(dataset, version) for dataset, version in store.manifest(ref).parents.items()]
    return commit_artifact(store, "index", files, derived={}, recipe="again", config={}, parents=parents)


def _write_song(path: Path, seconds: int = 180) -> None:
    import soundfile

    rng, rate = np.random.default_rng(0), 44_100
    times = np.arange(seconds * rate) / rate
    tone = np.sin(2 * np.pi * 220 * 2 ** np.round(np.sin(times / 3) * 12) * times)
    soundfile.write(path, (0.3 * tone + 0.01 * rng.standard_normal(len(times))).astype(np.float32), rate)


def _config(folder: Path, **settings: int) -> str:
    path = folder / "serve.yaml"
    path.write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
    return str(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_serve")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    parser.add_argument("--n", type=int, default=N)
    options = parser.parse_args()
    print(*measure(tuple(options.parts), options.n), sep="\n")
