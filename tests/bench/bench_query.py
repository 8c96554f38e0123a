"""What a query costs: beside the search among 1,000,000 tracks, and as a program of its own.

`python -m tests.bench query` makes two stores of synthetic embeddings (100,000 and 1,000,000 tracks; some minutes). It
asks `Library.similar` and the bare FAISS index in turn for the same tracks on one thread, and compares CPU times.
The second part starts programs on the store in AUDIOAE_STORE (default: data, the demo's), and measures their CPU
seconds, peak memory and the heavy modules that they load.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import audioae
from audioae.api import Library
from audioae.search.factory import IndexConfig
from tests.bench.bench_similar import ARTISTS, make_store
from tests.bench.harness import Row
from tests.search.made import clustered

SIZES = (100_000, 1_000_000)
FACTORY = "IVF{lists},PQ64x4fs,RFlat"
K = 10
QUERIES = 1000
PROGRAMS = {  # program, most CPU seconds, most MiB
    "audioae.open(store).similar(track_id)": (None, 2.0, 200.0),
    "audioae --help": (["--help"], 0.5, 100.0),
    "audioae coverage": (["coverage"], 2.0, 200.0),
    "audioae versions": (["versions"], 2.0, 200.0),
    "audioae findings": (["findings"], 2.0, 200.0),
}
MEASURED = """
import contextlib, io, json, resource, sys
sys.argv[1:] = {arguments!r}
with contextlib.redirect_stdout(io.StringIO()):
    {run}
usage = resource.getrusage(resource.RUSAGE_SELF)
heavy = [m for m in ("torch", "numba", "librosa", "av", "soundfile", "sklearn", "prefect") if m in sys.modules]
print(json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, heavy]))
"""
CALL = "import audioae; library = audioae.open({store!r}); library.similar({track_id!r}, k=10)"
COMMAND = """
    from audioae.cli import main
    with contextlib.suppress(SystemExit): main()
"""


def measure(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    import faiss

    faiss.omp_set_num_threads(1)
    rows = []
    with threadpool_limits(1):
        for n in sizes:
            with tempfile.TemporaryDirectory() as folder:
                config = IndexConfig(factory=FACTORY.format(lists=n // 256 if n < 1_000_000 else 4096), n_queries=500)
                rows += beside_the_search(make_store(folder, clustered(n, seed=1, n_artists=ARTISTS), config, 1 << 16))
    return rows + programs()


def beside_the_search(library: Library) -> list[Row]:
    """CPU milliseconds per query by track_id that are not FAISS's."""
    library.warm()
    ids = library.index.ids.to_pylist()
    chosen = np.random.default_rng(3).choice(len(ids), QUERIES, replace=False).tolist()
    bare, whole = [], []
    for row in chosen:
        query = library.index.embeddings(np.array([row]))
        start = time.process_time_ns()
        library.index.search(query, K)
        middle = time.process_time_ns()
        assert len(library.similar(ids[row], K).neighbors) == K
        bare.append(middle - start)
        whole.append(time.process_time_ns() - middle)
    raw, extra = np.median(bare) / 1e6, np.median(np.array(whole) - np.array(bare)) / 1e6
    note = f"bare search {raw:.3f} ms, p99 of the difference {np.percentile(np.array(whole) - bare, 99) / 1e6:.3f} ms"
    return [Row(f"similar by track_id among {len(ids):,}, beyond FAISS", float(extra), 0.2, "ms", note, False)]


def programs() -> list[Row]:
    """CPU seconds and peak memory of whole programs, the median of three runs."""
    store = os.environ.get("AUDIOAE_STORE", "data")
    if not (Path(store) / "index" / "LATEST").exists():
        raise SystemExit(f"{store}: no store there; run `audioae demo`, or name one with AUDIOAE_STORE")
    track_id = audioae.open(store).index.ids[0].as_py()
    rows = []
    for name, (arguments, most_cpu, most_mib) in PROGRAMS.items():
        if arguments is None:
            code = MEASURED.format(arguments=[], run=CALL.format(store=store, track_id=track_id))
        else:
            store_option = [] if "--help" in arguments else ["--store", store]
            code = MEASURED.format(arguments=[*arguments, *store_option], run=COMMAND.strip())
        runs = [json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(3)]
        cpu, mib = np.median([run[0] for run in runs]), np.median([run[1] for run in runs])
        note = f"loads {', '.join(runs[0][2]) or 'nothing heavy'}"
        rows.append(Row(f"{name}: CPU", float(cpu), most_cpu, "s", note, False))
        rows.append(Row(f"{name}: peak memory", float(mib), most_mib, "MiB", note, False))
    return rows
