"""One stage on several processes: decode + embed on Dask with two workers against one, and by two shares against one.

Why a cluster that runs already, and shares that start as commands: a worker starts once per run and a share once per
stage, so the start of Dask's processes is left out, and that of the shares counts.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from distributed import Client, LocalCluster
from prefect.settings import PREFECT_LOGGING_LEVEL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from audioae.config import load_config
from audioae.pipeline.tracks import update_tracks
from audioae.settings import PipelineConfig
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from flows.embed import embed
from tests.bench.bench_workers import count, write_tracks
from tests.bench.harness import Row
from tests.stores import random_weights

CONFIG = "configs/tiny.yaml"
N_TRACKS, N_SHARDS, ROUNDS = 160, 16, 3


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "audio").mkdir()
        write_tracks(folder / "audio", N_TRACKS)
        overrides = ["synth=null", f"catalog.source={folder / 'audio'}", f"catalog.min_shards={N_SHARDS}"]
        overrides.append("run.workers=1")
        _prepare(folder / "made", overrides)
        return [_machine(), *_by_shares(folder, overrides), *_on_dask(folder, overrides)]


def _prepare(root: Path, overrides: list[str]) -> None:
    """A store with a catalog and an untrained model, so that embedding decodes every file."""
    store, config = Store(str(root)), load_config(PipelineConfig, CONFIG, overrides)
    tracks = update_tracks(store, config.catalog)
    files = {"model.safetensors": random_weights()}
    commit_artifact(store, "model", files, derived={}, recipe="made", config={}, parents=[tracks])


def _machine() -> Row:
    seconds = []
    for n_processes in (1, 2):
        start = time.perf_counter()
        count(n_processes)
        seconds.append(time.perf_counter() - start)
    return Row("two plain processes / one, on this machine", 2 * seconds[0] / seconds[1], None)


def _on_dask(folder: Path, overrides: list[str]) -> list[Row]:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    settings = {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120, PREFECT_LOGGING_LEVEL: "WARNING"}
    with prefect_test_harness(server_startup_timeout=120), temporary_settings(settings):  # pyright: ignore[reportArgumentType]
        for number in range(ROUNDS):
            for n_workers in seconds:
                store = shutil.copytree(folder / "made", folder / f"dask-{number}-{n_workers}")
                seconds[n_workers].append(_embed_on(n_workers, [*overrides, f"store={store}"]))
    one, two = (sorted(values)[ROUNDS // 2] for values in seconds.values())
    note = f"one: {one:.1f} s, {N_TRACKS / one:.1f} tracks/s of 30 s; median of {ROUNDS} rounds"
    return [Row("decode + embed on Dask: one worker / two workers", one / two, 1.8, note=note)]


def _embed_on(n_workers: int, overrides: list[str]) -> float:
    cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0")
    with closing(cluster), Client(cluster) as client:
        client.run(_warm_up)
        start = time.perf_counter()
        embed(CONFIG, [*overrides, "run.runner=dask", f"run.dask_address={cluster.scheduler_address}"])
        return time.perf_counter() - start


def _warm_up() -> None:
    """Import what a worker imports once in its life."""
    import audioae.audio.extract
    import audioae.flows.common
    import audioae.pipeline.embed  # noqa: F401


def _by_shares(folder: Path, overrides: list[str]) -> list[Row]:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for number in range(ROUNDS):
        for n in seconds:
            store = shutil.copytree(folder / "made", folder / f"shares-{number}-{n}")
            settings = [part for each in [*overrides, f"store={store}"] for part in ("--set", each)]
            command = [sys.executable, "-m", "audioae", "run", "embed", CONFIG, *settings, "--shards"]
            start = time.perf_counter()
            shares = [
                subprocess.Popen([*command, f"{i + 1}/{n}"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                for i in range(n)
            ]
            statuses = [share.wait() for share in shares]
            seconds[n].append(time.perf_counter() - start)
            if any(statuses) or Store(str(store)).latest("embeddings") is None:
                raise RuntimeError(f"embed by {n} shares: exit statuses {statuses}, wanted 0 and embeddings")
    one, two = (sorted(values)[ROUNDS // 2] for values in seconds.values())
    note = f"one: {one:.1f} s; includes the start of each process, some seconds"
    return [Row("decode + embed: one share / two shares", one / two, None, note=note)]
