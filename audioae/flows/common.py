"""What every flow shares: the choice of task runner, progress, artifacts.

Flows hold no logic. Only strings and small pydantic models cross a task boundary; the store is the truth, so Prefect's
own caching and result storage stay off.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from audioae.errors import AudioaeError, ConfigError
from audioae.flows.position import POSITION
from audioae.flows.rates import LoggedProgress, log_rate
from audioae.flows.reporting import current
from audioae.flows.sharded import ShardedStage, sharded_stage
from audioae.pipeline.shards import group_shards
from audioae.progress import Progress
from audioae.settings import PipelineConfig, RunConfig

# A stage's groups on one machine: a failed group is retried alone, and its pool of decoders drains only this often.
LOCAL_GROUPS = 8
# A worker process that died is started again. A local cluster that waits less for it goes on without it, for good, and
# 15 s, which is Dask's default, are too few on a busy machine.
LOST_WORKER = "10 minutes"


def retry_unless_ours(_task: Task, _run: Any, state: Any) -> bool:
    """Retry what may pass (a lost worker, a network error), not what audioae itself says is wrong."""
    return not isinstance(state.result(raise_on_failure=False), AudioaeError)


@task(retries=2, retry_delay_seconds=2, retry_condition_fn=retry_unless_ours, cache_policy=NO_CACHE)
def compute_shards(stage: str, config: PipelineConfig, refs: dict[str, str], shards: list[int]) -> int:
    """Compute a group of shards of a stage; a shard whose part exists is only read."""
    work = sharded_stage(stage, config, **refs)
    return work.compute(shards, log_progress(work.UNIT))


def map_groups(stage: ShardedStage) -> int:
    """Compute the pending shards of a stage, in groups; returns their number.

    Raises the first error after all groups have ended. A run that is stopped asks again what is pending, to say what
    is done.
    """
    if not stage.is_prepared():
        stage.prepare()
    run, shards = stage.config.run, stage.pending()
    POSITION.count(lambda: f"{len(shards) - len(stage.pending()):,} of {len(shards):,} shards done")
    groups = group_shards(shards, min(LOCAL_GROUPS, run.max_tasks) if run.runner == "local" else run.max_tasks)
    if groups:
        named = compute_shards.with_options(name=f"{stage.NAME}-shards")
        inputs = {"stage": stage.NAME, "config": stage.config, "refs": {k: str(ref) for k, ref in stage.refs.items()}}
        futures: list[PrefectFuture[Any]] = []
        report = current()
        if report:
            report.progress.begin(len(groups))
        with task_runner(run) as runner, on_workers(runner, run, stage.NAME):
            futures += [runner.submit(named, parameters={**inputs, "shards": group}) for group in groups]
            for future in as_completed(futures):
                fetch(future)
                if report:
                    report.progress.end_group()
        for future in futures:
            future.result()
    return len(shards)


def fetch(future: PrefectFuture[Any]) -> None:
    """Fetch the state of a task that has ended, and let Dask forget the task.

    Dask keeps a result on the worker that computed it. When that worker is lost, it runs the task again.
    """
    future.wait()
    wrapped = getattr(future, "wrapped_future", None)
    if getattr(wrapped, "status", None) == "finished":  # a task of Dask; "error" is raised later
        wrapped.release()  # type: ignore[union-attr]


def task_runner(run: RunConfig) -> TaskRunner:
    """One group after another on one machine, where decoding has its own processes; or a Dask cluster."""
    if run.runner == "local":
        return ThreadPoolTaskRunner(max_workers=1)
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise ConfigError("run.runner: got 'dask', which needs an extra: pip install 'audioae[dask]'") from None
    if run.dask_address:
        return DaskTaskRunner(address=run.dask_address)
    from dask.config import set as set_option

    set_option({"distributed.deploy.lost-worker-timeout": LOST_WORKER})
    return DaskTaskRunner(cluster_kwargs={"n_workers": run.n_workers, "threads_per_worker": 1})


def on_workers(runner: TaskRunner, run: RunConfig, stage: str) -> AbstractContextManager[object]:
    """Within this context, tasks go to the Dask workers that offer what `run.dask_resources` says for the stage."""
    resources = {
        name: value for key, wanted in run.dask_resources.items() if key == stage for name, value in wanted.items()
    }
    if not resources:
        return nullcontext()
    from dask.base import annotate

    workers: Any = runner.client.scheduler_info(n_workers=-1)["workers"].values()  # type: ignore[attr-defined]
    if not any(resources.items() <= worker["resources"].items() for worker in workers):
        offer = " ".join(f"{name}={value:g}" for name, value in resources.items())
        get_run_logger().warning(
            f"{stage} waits: none of {len(workers)} Dask workers at {run.dask_address} offers {offer}; start one: "
            f"dask worker {run.dask_address} --nthreads 1 --resources '{offer}'"
        )
    return annotate(resources=resources)


def log_progress(unit: str) -> LoggedProgress:
    """A callback `(done, total, note="")` that logs rate and ETA, at most every few seconds and at the end."""
    log, report = log_rate(get_run_logger().info, unit), current()

    def advance(done: int, total: int, note: str = "") -> None:
        log(done, total, note)
        if report:
            report.progress.advance(done, total)

    return advance


def log_steps() -> Progress:
    """A callback `(what, done, total)` that logs each step of a stage, with rate and ETA."""
    meters: dict[str, LoggedProgress] = {}

    def log(what: str, done: int, total: int) -> None:
        step = what.split(":")[0]
        if step not in meters:
            meters[step] = log_progress(step)
        meters[step](done, total)

    return log
