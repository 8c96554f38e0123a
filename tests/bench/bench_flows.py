"""The cost of the flows: around a shard, on a rerun, on a catalog that has grown by 1 %, and per task run."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from prefect import flow
from prefect.settings import PREFECT_LOGGING_LEVEL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings

from audioae.config import load_config
from audioae.demo.config import SynthConfig
from audioae.demo.write import synthesize
from audioae.pipeline.mels import commit_mels, compute_mels, pending_mels
from audioae.settings import PipelineConfig, RunConfig
from audioae.store.dataset import Store
from flows.catalog import catalog
from flows.mels import mels
from flows.pipeline import pipeline
from tests.bench.harness import Row

CONFIG = "configs/tiny.yaml"
N_TRACKS = 100
SHARD_WORK_S = 60.0
N_TASKS = 200
MOST_TASKS = RunConfig().max_tasks


@contextmanager
def _workplace():
    settings = {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120, PREFECT_LOGGING_LEVEL: "WARNING"}
    with tempfile.TemporaryDirectory() as folder, temporary_settings(settings):  # pyright: ignore[reportArgumentType]
        yield Path(folder)


def _parts(root: Path) -> dict[str, int]:
    """Every part of what runs compute, and its inode; the row of a run is none."""
    files = [path for path in root.glob("*/parts/*.parquet") if path.parents[1].name != "runs"]
    return {str(path): path.stat().st_ino for path in files}


def measure() -> list[Row]:
    with _workplace() as folder:
        audio = folder / "audio"
        synthesize(audio, SynthConfig(n_tracks=N_TRACKS + 1, min_s=6.0, max_s=8.0, faults=False))
        newcomer = sorted(
            path for path in audio.rglob("*") if path.suffix in (".mp3", ".flac", ".ogg", ".wav", ".m4a")
        )[0]
        parked = folder / newcomer.name
        shutil.move(newcomer, parked)
        overrides = ["synth=null", f"catalog.source={audio}", f"store={folder / 'store'}", "catalog.min_shards=10"]
        return [
            _around_a_shard(folder, overrides),
            *_rerun_and_growth(folder, overrides, parked, newcomer),
            *_task_runs(),
        ]


def _around_a_shard(folder: Path, overrides: list[str]) -> Row:
    """Run the same shard by stage functions and by the flow, in turn, three times; compare the difference with 60 s."""
    one_shard = [*overrides[:2], "catalog.min_shards=1"]

    @flow(name="around")
    def around() -> tuple[float, float]:
        added, direct = [], []
        for number in range(4):
            stores = [f"store={folder / f'{kind}-{number}'}" for kind in ("direct", "flow")]
            configs = [load_config(PipelineConfig, CONFIG, [*one_shard, root]) for root in stores]
            for root in stores:
                catalog(CONFIG, [*one_shard, root])
            start = time.perf_counter()
            store = Store(configs[0].store)
            tracks = store.require("tracks")
            pending = pending_mels(store, configs[0].mels, tracks)
            compute_mels(store, configs[0].mels, tracks, pending, configs[0].run.decode_workers)
            commit_mels(store, configs[0].mels, tracks, max_reject_rate=1.0)
            middle = time.perf_counter()
            mels(CONFIG, [*one_shard, stores[1]])
            if number:  # the first round warms up
                direct.append(middle - start)
                added.append(time.perf_counter() - middle - direct[-1])
        return sorted(added)[1], sorted(direct)[1]

    added, direct = around()
    return Row(
        "flow around a shard of 60 s work",
        100 * max(added, 0.0) / SHARD_WORK_S,
        2,
        "%",
        f"the flow adds {added:.2f} s to a shard that takes {direct:.2f} s",
        higher_is_better=False,
    )


def _task_runs() -> list[Row]:
    """Task runs without work (`idle_flow`): what each costs, and what it adds to the database of the server."""
    rows = []
    for runner in ("local", "dask"):
        bytes_of = {}
        for n in (1, 1 + N_TASKS):
            with tempfile.TemporaryDirectory() as home:
                command = [sys.executable, "-m", "tests.bench.idle_flow", str(n), runner]
                environment = {**os.environ, "PREFECT_HOME": home, "PREFECT_LOGGING_LEVEL": "ERROR"}
                run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                bytes_of[n] = (Path(home) / "prefect.db").stat().st_size
        seconds = float(run.stdout.split()[-1])
        kib = (bytes_of[1 + N_TASKS] - bytes_of[1]) / N_TASKS / 1024
        share = 100 * seconds / SHARD_WORK_S
        note = f"{1000 * seconds:.0f} ms"
        name = f"task run of a shard of 60 s work, {runner}"
        rows.append(Row(name, share, 2, "%", note, higher_is_better=False))
        note = f"a stage has at most {MOST_TASKS} task runs: {MOST_TASKS * kib / 1024:.0f} MiB per stage and run"
        rows.append(Row(f"database of the server, per task run, {runner}", kib, None, "KiB", note))
    return rows


def _rerun_and_growth(folder: Path, overrides: list[str], parked: Path, newcomer: Path) -> list[Row]:
    root = folder / "store"
    pipeline(CONFIG, overrides)
    before = _parts(root)
    start = time.perf_counter()
    pipeline(CONFIG, overrides)
    seconds = time.perf_counter() - start
    rewritten = sum(_parts(root).get(name) != inode for name, inode in before.items()) + len(_parts(root)) - len(before)
    shutil.move(parked, newcomer)
    pipeline(CONFIG, overrides)
    after = _parts(root)
    touched = sum(after.get(name) != inode for name, inode in before.items())
    new = {dataset: sum(f"/{dataset}/" in name for name in after.keys() - before.keys()) for dataset in DATASETS}
    return [
        Row("rerun of a finished pipeline", seconds, 10, "s", f"{N_TRACKS} tracks", higher_is_better=False),
        Row("parts written by the rerun", rewritten, 0, "", higher_is_better=False),
        Row("old parts rewritten when the catalog grows by 1 %", touched, 0, "", higher_is_better=False),
        Row(
            "most new parts of a dataset when it grows by 1 %",
            max(new.values()),
            1,
            "",
            f"{new}",
            higher_is_better=False,
        ),
    ]


DATASETS = ("tracks", "mels", "health", "rejects", "embeddings")
