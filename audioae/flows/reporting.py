"""What a run tells of itself: the name and tags of its flow runs, the state it ends in, and its row in the store.

Conventions
-----------
- `reported_flow` makes a flow of a function `(config_path, overrides=None, *refs) -> ref`. Within one, `current()` is
  the `Report` of the flow that runs; a stage of a pipeline adds to the row of the pipeline.
- A flow with something to look at ends in a state of type Completed with a name of its own: `CompletedWithRejects`,
  `CompletedWithDrift`. An automation can wait for that name.
- Warnings of audioae's loggers go to Prefect's log of the flow run and into the row.
- Nothing here fails a run: what cannot be told is logged.
"""

import contextlib
import contextvars
import getpass
import logging
import os
import platform
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ParamSpec, cast

from prefect import Flow, flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.states import Completed

from audioae.config import load_config
from audioae.config_files import find_config
from audioae.errors import ConfigError
from audioae.flows.logs import PrefectWarnings, log_as_json
from audioae.flows.progress import StageProgress
from audioae.pipeline.run_log import FAILED, STOPPED, WARNED, RunRow, append_run, without_passwords
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store

P = ParamSpec("P")

PACKAGES = ("audioae", "prefect", "torch", "faiss-cpu", "numpy", "pyarrow", "av")
MOST_WARNINGS = 100
REJECTS, DRIFT = "CompletedWithRejects", "CompletedWithDrift"  # the more important name is the last
STATES = (REJECTS, DRIFT)

_log = logging.getLogger(__name__)


class Report:
    """What one flow run has to tell.

    Attributes
    ----------
    stage : str
        Name of the flow.
    row : RunRow
        The row of the run, shared by the pipeline and its stages.
    problems : dict of str to str
        Name of a state in `STATES` -> what there is to look at.
    progress : StageProgress
    """

    def __init__(self, stage: str, row: RunRow):
        self.stage, self.row = stage, row
        self.problems: dict[str, str] = {}
        self.progress = StageProgress(f"{stage}-{row.config_name}")

    def warn(self, state: str, message: str) -> None:
        """End in the state `state` (one of `STATES`), with this message."""
        self.problems[state] = message

    def count_rejects(self, rejects: dict[str, int]) -> None:
        """Record the rejected tracks, by reason; if there are any, the run ends in a state that says so."""
        self.row.rejects = rejects
        if rejects:
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in rejects.items())
            self.warn(REJECTS, f"{sum(rejects.values()):,} tracks rejected: {reasons}")

    def end(self, ref: str) -> Any:
        """What the flow returns: the ref, in a state that says what there is to look at."""
        names = [state for state in STATES if state in self.problems]
        if not names:
            return ref
        return Completed(name=names[-1], message="; ".join(self.problems[name] for name in names), data=ref)


_CURRENT: contextvars.ContextVar[Report | None] = contextvars.ContextVar("report", default=None)
_stopped: list[Callable[[str], None]] = []  # records the run of this process as stopped


def current() -> Report | None:
    """The report of the flow that runs here; None outside of flows, and on other machines."""
    return _CURRENT.get()


def reported_flow(function: Callable[P, str]) -> "Flow[P, str]":
    """Make a flow of `function`, with its name, docstring and parameters."""
    make = flow(name=function.__name__, flow_run_name=_flow_run_name, persist_result=False)
    return cast("Flow[P, str]", make(_reported(function)))


def record_stopped(message: str) -> None:
    """Record the run of this process as stopped by a signal."""
    for record in _stopped:
        record(message)


def _reported(function: Callable[P, str]) -> Callable[P, str]:
    stage = function.__name__

    @wraps(function)
    def run(config_path: str, overrides: list[str] | None = None, *refs: Any, **named: Any) -> Any:
        config = load_config(PipelineConfig, find_config(config_path), overrides or ())
        outer = current()
        report = Report(stage, outer.row if outer else _new_row(stage, config, config_path))
        _tag(f"stage:{stage}", f"config:{report.row.config_name}", f"store:{_name_of_store(config)}")
        with _entered(report, config, outer):
            ref = function(config_path, overrides, *refs, **named)  # type: ignore[arg-type]  # these are P
        if outer:
            outer.problems |= report.problems
        return report.end(ref)

    return cast(Callable[P, str], run)


@contextlib.contextmanager
def _entered(report: Report, config: PipelineConfig, outer: Report | None) -> Iterator[None]:
    """Within this context, `report` is the current one; at its end, the outermost one records the run."""
    token, start = _CURRENT.set(report), time.perf_counter()
    if config.run.log_json:
        log_as_json()
    try:
        with contextlib.ExitStack() as contexts:
            if outer is None:
                contexts.enter_context(PrefectWarnings(report.row.warnings, MOST_WARNINGS))
                contexts.enter_context(_ready_to_stop(report, config))
            yield
    except BaseException as error:
        report.row.state = FAILED if isinstance(error, Exception) else STOPPED
        report.row.error = f"{type(error).__name__}: {error}"
        raise
    finally:
        _CURRENT.reset(token)
        report.progress.close()
        if report.stage != "pipeline":
            report.row.seconds[report.stage] = round(time.perf_counter() - start, 3)
        if outer is None:
            report.row.state = WARNED if report.problems and report.row.error is None else report.row.state
            _record(config, report.row)


@contextlib.contextmanager
def _ready_to_stop(report: Report, config: PipelineConfig) -> Iterator[None]:
    def stopped(message: str) -> None:
        report.row.state, report.row.error = STOPPED, message
        _record(config, report.row)

    _stopped.append(stopped)
    try:
        yield
    finally:
        _stopped.remove(stopped)


def _record(config: PipelineConfig, row: RunRow) -> None:
    """Write the row of a run. An error in the settings is only recorded if there is a store to record it in."""
    try:
        store = Store(config.store)
        if row.error and row.error.startswith(ConfigError.__name__) and not store.list_manifests("tracks"):
            return
        row.finished_at = datetime.now(UTC)
        append_run(store, row)
    except Exception as error:  # noqa: BLE001 - the run itself is what matters
        _log.warning(f"the run is not recorded in {_name_of_store(config)}: {type(error).__name__}: {error}")


def _new_row(stage: str, config: PipelineConfig, config_path: str) -> RunRow:
    return RunRow(
        run_id=str(flow_run.id or uuid.uuid4()),
        flow=stage,
        user=_user(),
        host=socket.gethostname(),
        config_name=Path(config_path).stem,
        config=config.model_dump(mode="json"),
        versions={"python": platform.python_version(), **_versions()},
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return str(os.getuid())


def _name_of_store(config: PipelineConfig) -> str:
    """Where the store is, without passwords: another folder may have another store of the same relative path."""
    store = config.store.partition("?")[0]
    return without_passwords(store) if "://" in store else str(Path(store).expanduser().absolute())


def _flow_run_name() -> str:
    """Such as `embed demo 2026-11-26`."""
    config = Path(str(flow_run.parameters.get("config_path", ""))).stem
    return f"{flow_run.flow_name} {config} {datetime.now().date()}"


def _tag(*tags: str) -> None:
    """Add tags to the flow run that runs here."""
    run_id = flow_run.id
    if run_id:
        try:
            with get_client(sync_client=True) as client:
                client.update_flow_run(uuid.UUID(run_id), tags=[*{*flow_run.tags, *tags}])
        except Exception as error:  # noqa: BLE001 - a run without tags is a run
            _log.warning(f"the flow run has no tags: {type(error).__name__}: {error}")
