"""A stage on a real Dask cluster: workers that are killed, and two kinds of workers."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dask.config import config as dask_settings
from distributed import Client, LocalCluster

from audioae.config import load_config
from audioae.errors import ConfigError
from audioae.flows.common import LOCAL_GROUPS, LOST_WORKER, map_groups
from audioae.flows.sharded import ShardedStage
from audioae.settings import PipelineConfig, RunConfig
from audioae.store.dataset import Store
from tests.chain import copy_datasets
from tests.conftest import free_port
from tests.flows.conftest import N_SHARDS, parts
from tests.flows.counting import VARIABLE
from tests.processes import PATIENCE_S, Run


@pytest.fixture
def start(catalog, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start `audioae run STAGE CONFIG` on the cluster at `address`, on the store `tmp_path / "store"`."""
    root, path, overrides = catalog
    shutil.copytree(root, tmp_path / "store")
    overrides = [*overrides, f"store={tmp_path / 'store'}", "run.runner=dask", f"run.server_start_s={PATIENCE_S:g}"]
    runs: list[Run] = []

    def begin(stage: str, address: str, *more: str) -> Run:
        settings = [part for each in [*overrides, f"run.dask_address={address}", *more] for part in ("--set", each)]
        command = [sys.executable, "-m", "audioae", "run", stage, path, *settings]
        runs.append(Run(command, tmp_path / f"{len(runs)}.log", PREFECT_HOME=str(tmp_path / "prefect")))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill()


def test_killed_workers_cost_the_shards_that_they_had_begun(single, start, tmp_path, monkeypatch):
    store = tmp_path / "store"
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setitem(dask_settings["distributed"]["deploy"], "lost-worker-timeout", LOST_WORKER)
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", preload=["tests.flows.counting"], silence_logs=50
    )
    with closing(cluster):
        run = start("mels", cluster.scheduler_address)
        for number, n_parts in ((0, 2), (1, 6), (0, 10)):
            run.wait_until(lambda least=n_parts: len(parts(store, "mels")) >= least)
            os.kill(cluster.workers[number].pid, signal.SIGKILL)  # its nanny starts another one
        before = parts(store, "mels")
        assert run.process.wait(PATIENCE_S) == 0, run.printed
    assert "temporary server" not in run.printed, "one server takes part, in all threads"
    after = parts(store, "mels")
    assert 10 <= len(before) < len(after) == N_SHARDS, "killed in the middle"
    assert {shard: after[shard] for shard in before} == before
    for dataset in ("mels", "health", "rejects"):
        ref = single.require(dataset)
        assert Store(str(store)).require(dataset) == ref
        assert Store(str(store)).manifest(ref).parts == single.manifest(ref).parts, "the same hash of every part"
    decoded, computed = ((tmp_path / name).read_text().splitlines() for name in ("decoded", "computed"))
    assert len({*decoded}) == len({*computed}) == N_SHARDS
    assert len(decoded) <= N_SHARDS + 3, "three kills cost at most three shards, of one track each"
    assert len(computed) <= N_SHARDS + 6, "what a killed worker had done is not read again"


@pytest.fixture
def dask() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """`dask scheduler ...` and `dask worker ...`, as their users start them."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).parent / "dask"), *arguments]
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return processes[-1]

    yield begin
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        process.wait(30)


def test_mels_are_decoded_by_cpu_workers_and_embedded_by_gpu_workers(chain, dask, start, single, tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    dask("scheduler", "--host", address, "--no-dashboard")
    worker = ("worker", address, "--nthreads", "1", "--no-dashboard")
    dask(*worker, "--name", "decoder", "--resources", "CPU=1")
    resources = ("run.dask_resources.mels.CPU=1", "run.dask_resources.embed.GPU=1")
    with Client(address, timeout=60) as client:
        client.wait_for_workers(1, timeout=60)
        client.get_task_stream()  # records from now on
        mels = start("mels", address, *resources)
        assert mels.process.wait(PATIENCE_S) == 0, mels.printed
        store = Store(str(tmp_path / "store"))
        copy_datasets(chain[0], store, "model")
        embed = start("embed", address, *resources)
        embed.wait_until(lambda: "embed waits: none of 1 Dask workers" in embed.printed)
        assert f"offers GPU=1; start one: dask worker {address} --nthreads 1 --resources 'GPU=1'" in embed.printed
        dask(*worker, "--name", "embedder", "--resources", "GPU=1")
        assert embed.process.wait(PATIENCE_S) == 0, embed.printed
        workers: Any = client.scheduler_info(n_workers=-1)["workers"]
        names = {address: worker["id"] for address, worker in workers.items()}
        done: Any = client.get_task_stream()
        where = [names[task["worker"]] for task in sorted(done, key=lambda task: task["startstops"][0]["start"])]
    assert where == ["decoder"] * N_SHARDS + ["embedder"] * N_SHARDS
    assert store.require("mels") == single.require("mels")
    assert store.manifest(store.require("embeddings")).rows == N_SHARDS


class Counted(ShardedStage):
    """A stage of 10,000 shards without work."""

    NAME, UNIT = "counted", "nothing"

    def shards(self):
        return list(range(10_000))

    pending = shards

    def compute(self, shards, on_progress=None):
        return len(shards)

    def commit(self):
        raise NotImplementedError


@pytest.mark.parametrize(("runner", "n_tasks"), [("local", LOCAL_GROUPS), ("dask", 900)])
def test_task_runs_are_few_at_any_number_of_shards(runner, n_tasks, tiny_config, monkeypatch):
    submitted: list[list[int]] = []

    class Future:
        def wait(self):
            pass

        def result(self):
            return 0

    class Runner:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, _task, parameters):
            submitted.append(parameters["shards"])
            return Future()

    monkeypatch.setattr("audioae.flows.common.task_runner", lambda _run: Runner())
    monkeypatch.setattr("audioae.flows.common.as_completed", lambda futures: futures)
    config = load_config(PipelineConfig, *tiny_config)
    run = config.run.model_copy(update={"runner": runner})
    assert map_groups(Counted(config.model_copy(update={"run": run}), {})) == 10_000
    assert len(submitted) == n_tasks
    assert [shard for shards in submitted for shard in shards] == list(range(10_000))
    assert max(map(len, submitted)) - min(map(len, submitted)) <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dask_resources": {"mels": {"CPU": 1}}}, "dask_resources chooses among the workers of a Dask cluster"),
        ({"dask_resources": {"train": {"GPU": 1}}}, "Input should be 'mels', 'embed', 'index' or 'similar'"),
    ],
)
def test_resources_are_of_a_cluster(settings, message):
    from audioae.config import parse_config

    with pytest.raises(ConfigError, match=message):
        parse_config(RunConfig, settings, where="a.yaml")
