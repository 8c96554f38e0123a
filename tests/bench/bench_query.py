"""What a query costs: beside the search among 1,000,000 tracks, and as a program of its own.

`python -m tests.bench query` makes two stores of synthetic embeddings (100,000 and 1,000,000 tracks; some minutes). It
asks `Library.similar` and the bare FAISS index in turn for the same tracks on one thread, and compares CPU times.
The second part opens the store of 1,000,000 tracks of `tests.bench.made_catalog` in programs of their own, as each
worker of a service does: CPU until it is ready, what a second program adds, and filtered queries. FAISS copies the
4-bit codes of an index into each program; they are counted once with it and once apart. AUDIOAE_MILLION
names the folder of the store (default: a temporary one).
The third part starts programs on the store in AUDIOAE_STORE (default: data, the demo's), and measures their CPU
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
from audioae.store.artifacts import artifact_path
from tests.bench.bench_similar import ARTISTS, make_store
from tests.bench.harness import Row
from tests.bench.made_catalog import million
from tests.search.made import clustered

SIZES = (100_000, 1_000_000)
FACTORY = "IVF{lists},PQ64x4fs,RFlat"
K = 10
BASE = 38.0  # MiB of anonymous memory of a program that has imported audioae.api, NumPy, Arrow and FAISS
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


FILTERED = {  # name, filters, most milliseconds; 891 MiB, 4.5 s, and 37, 41 and 315 ms before columns were mapped
    "label of 1 %": ("Filters(label=['one percent'])", 25.0),
    "label of 10 %": ("Filters(label=['ten percent'])", 25.0),
    "1,000 track_ids": ("Filters(allow=ids[:1000])", 25.0),
    "100,000 track_ids": ("Filters(allow=ids[:100000])", None),
}
OPENED = """
import json, re, sys, time
from pathlib import Path
import faiss, numpy, pyarrow

def memory():  # MiB: shared with others by its share; of this process alone
    total = dict.fromkeys(("Pss", "Anonymous"), 0.0)
    name = ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            name = line.split(maxsplit=5)[5:]
        elif (kind := line.split(":")[0]) in total and not str(name).endswith("index.faiss']"):
            total[kind] += int(line.split()[1]) / 1024
    return total

faiss.omp_set_num_threads(1)
before = memory()["Anonymous"]
copied = faiss.read_index({vectors!r}, faiss.IO_FLAG_MMAP_IFC)
copied = memory()["Anonymous"] - before
import audioae
from audioae.library.filters import Filters
from audioae.similarity.search import Options
library = audioae.open({store!r})
library.warm()
ready = time.process_time()
print(json.dumps([ready, copied, memory()]), flush=True)
if sys.stdin.readline():
    ids = library.index.ids.to_pylist()
    for filters in ({filters}):
        library.similar(ids[-1], 10, options=Options(filters))
        times = []
        for track_id in ids[:: len(ids) // 200]:
            start = time.process_time()
            library.similar(track_id, 10, options=Options(filters))
            times.append(1000 * (time.process_time() - start))
        print(json.dumps(numpy.percentile(times, [50, 99]).tolist()), flush=True)
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
    return rows + opened() + programs()


def opened(n: int = 1_000_000) -> list[Row]:
    """A library of `n` tracks in two programs at once; the files that it maps were derived by one before."""
    with tempfile.TemporaryDirectory() as folder:
        store = million(Path(os.environ.get("AUDIOAE_MILLION", folder)), n)
        audioae.open(store.root).warm()
        vectors = str(artifact_path(store, store.require("index"), "index.faiss"))
        asked = "".join(f"{filters}," for filters, _ in FILTERED.values())
        code = OPENED.format(vectors=vectors, store=store.root, filters=asked)
        command = [sys.executable, "-c", code]
        with (
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first,
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as second,
        ):
            assert first.stdin
            assert first.stdout
            assert second.stdin
            assert second.stdout
            alone, beside = json.loads(first.stdout.readline()), json.loads(second.stdout.readline())
            second.stdin.close()
            first.stdin.write("go\n")
            first.stdin.flush()
            times = {name: json.loads(first.stdout.readline()) for name in FILTERED}
    (cpu, copied, _), (*_, memory) = alone, beside
    own = memory["Anonymous"] - copied
    share = f"{memory['Pss'] - copied:.0f} MiB with its share of mapped files and of code"
    rows = [
        Row(f"library of {n:,}: start to ready, CPU", cpu, 3.0, "s", "imports included", False),
        Row(f"library of {n:,}: private memory of a second program", own + copied, 100.0, "MiB", "", False),
        Row(f"... without {copied:.0f} MiB of codes that FAISS copies", own, 100.0, "MiB", share, False),
        Row("... a track, beyond imports", max(own - BASE, 0) * 2**20 / n, 40.0, "B", "", False),
    ]
    for name, (p50, p99) in times.items():
        rows.append(Row(f"p99 among {n:,}, {name}", p99, FILTERED[name][1], "ms", f"median {p50:.1f} ms of CPU", False))
    return rows


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
