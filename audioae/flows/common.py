"""What every flow shares: the choice of task runner, progress, artifacts.

Flows hold no logic. Only strings and small pydantic models cross a task boundary; the store is the truth, so Prefect's
own caching and result storage stay off.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from prefect import Task, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.futures import wait
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from audioae.errors import AudioaeError, ConfigError
from audioae.flows.position import POSITION
from audioae.pipeline.shards import group_shards
from audioae.progress import Progress
from audioae.settings import RunConfig

# A stage's groups on one machine: a failed group is retried alone, and its pool of decoders drains only this often.
LOCAL_GROUPS = 8
SECONDS_BETWEEN_LOGS = 5.0


class LoggedProgress(Protocol):
    """A callback that logs `done` of `total`, and a note where there is one."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def map_groups(run: RunConfig, task: Task, pending: Callable[[], Sequence[int]], **parameters: Any) -> int:
    """Run `task(shards=group, **parameters)` for groups of the shards that `pending` gives; returns their number.

    Raises the first error after all groups have ended. A run that is stopped asks `pending` again, to say what is done.
    """
    shards = list(pending())
    POSITION.count(lambda: f"{len(shards) - len(pending()):,} of {len(shards):,} shards done")
    groups = group_shards(shards, min(LOCAL_GROUPS, run.max_tasks) if run.runner == "local" else run.max_tasks)
    if groups:
        with task_runner(run) as runner:
            futures = [runner.submit(task, parameters={"shards": group, **parameters}) for group in groups]
            wait(list(futures))
        for future in futures:
            future.result()
    return len(shards)


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
    return DaskTaskRunner(cluster_kwargs={"n_workers": run.n_workers, "threads_per_worker": 1})


def retry_unless_ours(_task: Task, _run: Any, state: Any) -> bool:
    """Retry what may pass (a lost worker, a network error), not what audioae itself says is wrong."""
    return not isinstance(state.result(raise_on_failure=False), AudioaeError)


def log_progress(unit: str) -> LoggedProgress:
    """A callback `(done, total, note="")` that logs rate and ETA, at most every few seconds and at the end."""
    logger = get_run_logger()
    start = time.monotonic()
    last = [start, -1]

    def log(done: int, total: int, note: str = "") -> None:
        POSITION.advance(done, total, unit)
        now = time.monotonic()
        if done == last[1] or (now - last[0] < SECONDS_BETWEEN_LOGS and done < total):
            return
        last[:] = [now, done]
        rate = done / max(now - start, 1e-9)
        eta = f", ETA {(total - done) / rate:.0f} s" if 0 < done < total else ""
        logger.info(f"{done}/{total} {unit}, {rate:.1f}/s{eta}{'; ' + note if note else ''}")

    return log


def log_steps() -> Progress:
    """A callback `(what, done, total)` that logs each step of a stage, with rate and ETA."""
    meters: dict[str, LoggedProgress] = {}

    def log(what: str, done: int, total: int) -> None:
        step = what.split(":")[0]
        if step not in meters:
            meters[step] = log_progress(step)
        meters[step](done, total)

    return log


def publish_artifact(stage: str, ref: str, lines: dict[str, Any]) -> None:
    """Leave a stage's result in Prefect's UI."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in lines.items())
    key = re.sub(r"[^a-z0-9]+", "-", stage.lower())
    create_markdown_artifact(f"## {ref}\n\n| | |\n|---|---|\n{rows}\n", key=key, description=f"stage {stage}: {ref}")
