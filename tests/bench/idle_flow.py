"""A stage without work in N task runs, on a private Prefect server: prints the seconds of each task run.

Run as `python -m tests.bench.idle_flow N local|dask`; PREFECT_HOME names the folder of the server's database.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import ClassVar

from prefect import flow

from audioae.config import load_config
from audioae.flows import common
from audioae.flows.sharded import SHARDED, ShardedStage
from audioae.flows.stopping import in_a_thread
from audioae.progress import Advance
from audioae.settings import PipelineConfig
from audioae.store.manifest import DatasetRef


class Idle(ShardedStage):
    """A stage whose shards are numbers."""

    NAME, UNIT, NEEDS = "idle", "shards", {}
    N: ClassVar[int] = 0

    def shards(self) -> list[int]:
        return list(range(self.N))

    def pending(self) -> list[int]:
        return self.shards()

    def compute(self, shards: Sequence[int], on_progress: Advance | None = None) -> int:
        return len(shards)

    def commit(self) -> DatasetRef:
        raise NotImplementedError


SHARDED["idle"] = Idle  # also on a Dask worker that preloads this module


@flow(name="idle", persist_result=False)
def idle(stage: ShardedStage) -> float:
    """Run the stage; returns the seconds."""
    start = time.perf_counter()
    common.map_groups(stage)
    return time.perf_counter() - start


def main(n: int, runner: str) -> None:
    from audioae.flows.server import prefect_server

    Idle.N = common.LOCAL_GROUPS = n
    overrides = [f"run.runner={runner}", "run.workers=1"]
    with ExitStack() as stack:
        if runner == "dask":
            from distributed import LocalCluster

            cluster = LocalCluster(
                n_workers=1, threads_per_worker=1, dashboard_address=":0", preload=["tests.bench.idle_flow"]
            )
            stack.enter_context(closing(cluster))
            overrides.append(f"run.dask_address={cluster.scheduler_address}")
        stack.enter_context(prefect_server(120))
        stage = Idle(load_config(PipelineConfig, "configs/tiny.yaml", overrides), {})
        print(in_a_thread(idle, stage) / max(n, 1))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
