"""What every flow shares: the command line, the choice of task runner, progress, artifacts.

Flows hold no logic: they give stage functions retries, logs, schedules and artifacts. Only strings and small pydantic
models cross a task boundary; the store is the truth, so Prefect's own caching and result storage stay off.
"""

import argparse
import logging
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from prefect import Flow, Task, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.futures import wait
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from audioae.config import load_config
from audioae.errors import AudioaeError, ConfigError
from audioae.pipeline.shards import group_shards
from audioae.settings import PipelineConfig, RunConfig

# A stage's groups on one machine: a group that fails is retried alone, and its pool of decoders runs dry only so often.
LOCAL_GROUPS = 8
SECONDS_BETWEEN_LOGS = 5.0


def main(flow: Flow) -> None:
    """Run `flow` as a command: `python -m flows.<stage> CONFIG [--set key.path=value ...]`."""
    parser = argparse.ArgumentParser(
        prog=f"python -m flows.{flow.name}",
        description=flow.description,
        epilog="With PREFECT_API_URL it reports to that server; without, a private one is started for the run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", help="YAML file, for example configs/pipeline.yaml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="override any config key, for example --set store=/data/store --set train.steps=500; may be repeated",
    )
    arguments = parser.parse_args()
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_is_not_ours)
    try:
        load_config(PipelineConfig, arguments.config, arguments.set)
        with temporary_settings({PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120}):
            flow(arguments.config, arguments.set)
    except AudioaeError as error:
        sys.exit(f"{type(error).__name__}: {error}")


def map_groups(run: RunConfig, task: Task, shards: Sequence[int], **parameters: Any) -> None:
    """Run `task(shards=group, **parameters)` for groups of shards; raises the first error after all have ended."""
    groups = group_shards(list(shards), min(LOCAL_GROUPS, run.max_tasks) if run.runner == "local" else run.max_tasks)
    if not groups:
        return
    with task_runner(run) as runner:
        futures = [runner.submit(task, parameters={"shards": group, **parameters}) for group in groups]
        wait(list(futures))
    for future in futures:
        future.result()


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


def progress(unit: str) -> Callable[..., None]:
    """A callback `(done, total, note="")` that logs rate and ETA, at most every few seconds and at the end."""
    logger = get_run_logger()
    start = time.monotonic()
    last = [start, -1]

    def report(done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if done == last[1] or (now - last[0] < SECONDS_BETWEEN_LOGS and done < total):
            return
        last[:] = [now, done]
        rate = done / max(now - start, 1e-9)
        eta = f", ETA {(total - done) / rate:.0f} s" if 0 < done < total else ""
        logger.info(f"{done}/{total} {unit}, {rate:.1f}/s{eta}{'; ' + note if note else ''}")

    return report


def logged() -> Callable[[str, int, int], None]:
    """A callback `(what, done, total)` that logs each thing that is being done, with rate and ETA."""
    meters = {}

    def report(what: str, done: int, total: int) -> None:
        unit = what.split(":")[0]
        meters.setdefault(unit, progress(unit))(done, total)

    return report


def publish_artifact(stage: str, ref: str, lines: dict[str, Any]) -> None:
    """Leave a stage's result in Prefect's UI."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in lines.items())
    key = re.sub(r"[^a-z0-9]+", "-", stage.lower())
    create_markdown_artifact(f"## {ref}\n\n| | |\n|---|---|\n{rows}\n", key=key, description=f"stage {stage}: {ref}")


def _is_not_ours(record: logging.LogRecord) -> bool:
    """Drop Prefect's tracebacks of errors that `main` explains in one message."""
    return not (record.exc_info and isinstance(record.exc_info[1], AudioaeError))
