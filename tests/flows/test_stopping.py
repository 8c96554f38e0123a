"""A run that is stopped or killed: it ends at once, says where, leaves no process, and the same command goes on."""

import re
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.processes import LIMIT_S, PATIENCE_S, Run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture
def start(tmp_path: Path, home: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def begin(*arguments: str, **environment: str) -> Run:
        command = [sys.executable, "-m", "audioae", "run", *arguments]
        runs.append(Run(command, tmp_path / f"{len(runs)}.log", PREFECT_HOME=str(home), **environment))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill()


def overridden(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


def n_parts(store: Path, dataset: str) -> int:
    return len(list(store.glob(f"{dataset}/parts/*.parquet")))


def states(home: Path) -> dict[str, str]:
    """State of the last run of each flow, as Prefect keeps it."""
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        rows = "SELECT flow.name, state_type FROM flow_run JOIN flow ON flow.id = flow_id ORDER BY flow_run.created"
        return dict(database.execute(rows).fetchall())


def test_signals_and_kills_leave_no_process_and_the_same_command_goes_on(tiny_config, tmp_path, start, home):
    path, overrides = tiny_config
    store = tmp_path / "store"
    small = ["catalog.min_shards=24", "run.workers=1", "train.steps=1000000", "train.checkpoint_every=2"]
    command = [path, *overridden(*overrides, *small, f"store={store}")]

    run = start(*command)
    run.wait_until(lambda: n_parts(store, "mels") >= 2)
    assert len(run.processes()) == 3, "the run, its private server, and one decoder"
    status, seconds, lines = run.end_by(signal.SIGINT, group=True)  # as Ctrl-C in a terminal
    assert (status, run.is_gone()) == (130, True), run.processes()
    assert seconds < LIMIT_S
    said = re.fullmatch(r"stopped in mels, (\d+) of 24 shards done; run the same command to go on", lines[-1])
    assert said, lines
    assert 2 <= int(said[1]) <= n_parts(store, "mels"), "Prefect is told after that; meanwhile it goes on"
    assert len(lines) <= 2, lines
    assert states(home) == {"pipeline": "CRASHED", "catalog": "COMPLETED", "mels": "CRASHED"}

    run = start(*command)
    run.wait_until(lambda: list(store.glob("model/checkpoints/*.ckpt")))
    status, seconds, lines = run.end_by(signal.SIGTERM)
    assert (status, run.is_gone()) == (143, True), run.processes()
    assert seconds < LIMIT_S
    assert lines[-1].startswith("stopped in train, "), lines
    assert lines[-1].endswith(" of 1,000,000 steps; run the same command to go on")
    assert "Traceback" not in run.printed

    run = start(*command)
    run.wait_until(lambda: "for flow 'train'" in run.printed)
    assert len(run.processes()) == 2, run.processes()
    run.end_by(signal.SIGKILL)
    assert run.is_gone(), run.processes()


def test_a_stopped_run_on_dask_leaves_no_process(tiny_config, tmp_path, start):
    path, overrides = tiny_config
    store = tmp_path / "store"
    small = ["catalog.min_shards=24", "run.runner=dask", "run.workers=2", "run.max_tasks=24"]
    command = [path, *overridden(*overrides, *small, f"store={store}")]
    run = start(*command)
    run.wait_until(lambda: n_parts(store, "mels") >= 1)
    status, seconds, lines = run.end_by(signal.SIGINT, group=True)
    assert (status, run.is_gone()) == (130, True), run.processes()
    assert seconds < LIMIT_S
    assert "shards done; run the same command to go on" in "\n".join(lines)


def test_a_run_ends_with_its_server_and_one_that_does_not_answer_gives_one_sentence(tiny_config, tmp_path, start):
    path, overrides = tiny_config
    command = ["catalog", path, *overridden(*overrides, f"store={tmp_path / 'store'}")]
    url = f"http://127.0.0.1:{free_port()}/api"
    good = start(*command)
    assert good.process.wait(PATIENCE_S) == 0, good.printed
    assert good.is_gone()
    assert "for flow 'catalog'" in good.printed
    assert "View at" not in good.printed, "its server has no UI"
    dead = start(*command, PREFECT_API_URL=url)
    slow = start(*command, "--set", "run.server_start_s=0.1")
    assert (dead.process.wait(PATIENCE_S), slow.process.wait(PATIENCE_S)) == (1, 1)
    plan, message = dead.printed.splitlines()
    assert plan.startswith("Running catalog")
    assert message.startswith(f"ConfigError: PREFECT_API_URL: no Prefect server answers at {url} (ConnectError: ")
    assert message.endswith("start that server, or unset PREFECT_API_URL to run with a private one")
    plan, message = slow.printed.splitlines()
    assert message.startswith("ConfigError: Prefect's private server did not answer within 0.1 s (run.server_start_s)")
    assert (
        "larger run.server_start_s, or start a server (`prefect server start`) and name it in PREFECT_API_URL"
        in message
    )
    assert dead.is_gone()
    assert slow.is_gone()
