"""Deployments on a real Prefect server: a worker and a served schedule run them, and a webhook hears of failures."""

import json
import re
import signal
import wave
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from audioae.cli import app
from audioae.flows.cron import next_runs
from audioae.pipeline.run_log import list_runs
from audioae.store.dataset import Store
from tests.conftest import free_port
from tests.flows.prefect_server import BIN, Server
from tests.processes import Run

ENTRYPOINT = "audioae.flows.catalog.catalog"


@pytest.fixture(scope="module")
def server(prefect_server: Server) -> Iterator[Server]:
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        yield prefect_server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """The folder in which a user deploys: two files of music, and a config with relative paths."""
    (tmp_path / "music").mkdir()
    for name, level in (("a", 1), ("b", 2)):
        with wave.open(str(tmp_path / "music" / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
            file.writeframes(bytes([level, 0]) * 32000)
    (tmp_path / "mine.yaml").write_text("store: data\ncatalog: {source: music}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start(tmp_path: Path, server: Server) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def begin(*command: str) -> Run:
        runs.append(Run([str(BIN / command[0]), *command[1:]], tmp_path / f"{len(runs)}.log", **server.environment))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill()


def audioae(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None, repr(result.exception)
    return result.output


def error_of(*arguments: str) -> str:
    return str(CliRunner().invoke(app, list(arguments)).exception)


def deploy(*arguments: str, pool: str = "process-pool", config: str = "mine.yaml") -> dict[str, Any]:
    common = ("--pool", pool, "--create-pool", "process", "--config", config, "--json")
    return json.loads(audioae("deploy", "catalog", *common, *arguments))


def ask_deployment(server: Server, name: str) -> dict[str, Any]:
    return server.get(f"deployments/name/{name}")


def flow_runs(server: Server, deployment: str) -> list[dict[str, Any]]:
    """The runs of a deployment that have left the schedule."""
    wanted = {"id": {"any_": [ask_deployment(server, deployment)["id"]]}}
    runs = server.ask("flow_runs", deployments=wanted, sort="EXPECTED_START_TIME_ASC")
    return [run for run in runs if run["state"]["name"] != "Scheduled"]


def test_a_deployment_names_the_installed_package_and_this_folder(server: Server, folder: Path):
    made = deploy("--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--name", "nightly", "--set", "run.workers=1")
    assert made["deployment"] == "catalog/nightly"
    assert re.fullmatch(r".*T03:00:00\+0[12]:00", made["next_run"])
    stored = ask_deployment(server, "catalog/nightly")
    assert (stored["entrypoint"], stored["pull_steps"], stored["path"]) == (ENTRYPOINT, [], None)
    assert stored["parameters"] == {"config_path": str(folder / "mine.yaml"), "overrides": ["run.workers=1"]}
    assert stored["job_variables"] == {"working_dir": str(folder)}
    assert stored["global_concurrency_limit"]["limit"] == 1
    assert stored["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    (schedule,) = stored["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 3 * * *", "Europe/Berlin")
    assert schedule["active"]


def test_deploying_again_replaces(server: Server, folder: Path):
    for cron, strategy in (("0 3 * * *", "wait"), ("0 4 * * *", "skip")):
        deploy("--name", "again", "--cron", cron, "--if-running", strategy, "--notify", "http://127.0.0.1:1/hook")
    stored = ask_deployment(server, "catalog/again")
    assert [schedule["schedule"]["cron"] for schedule in stored["schedules"]] == ["0 4 * * *"]
    assert stored["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    automations = server.ask("automations")
    assert [one["name"] for one in automations].count("audioae catalog/again") == 1


def test_a_packaged_config_is_named(server: Server, folder: Path):
    deploy("--name", "packaged", "--set", "catalog.source=music", config="pipeline")
    assert ask_deployment(server, "catalog/packaged")["parameters"]["config_path"] == "pipeline"


def test_a_docker_pool_takes_an_image_and_absolute_paths(server: Server, folder: Path):
    """The pool is what Prefect's server makes of the type docker; no container is started here."""
    common = ("deploy", "catalog", "--pool", "boxes", "--create-pool", "docker", "--job-variable", "image=audioae:1")
    relative = error_of(*common, "--config", "mine.yaml")
    assert relative.startswith("store: got the relative path 'data'; the work pool boxes (type docker) runs elsewhere")
    paths = ("--set", "store=s3://bucket/store", "--set", f"catalog.source={folder / 'music'}")
    audioae(*common, "--config", "pipeline", "--name", "boxed", *paths)
    stored = ask_deployment(server, "catalog/boxed")
    assert (stored["job_variables"], stored["entrypoint"]) == ({"image": "audioae:1"}, ENTRYPOINT)
    template = server.get("work_pools/boxes")["base_job_template"]
    assert {"image", "env", "volumes", "networks"} <= set(template["variables"]["properties"])
    wrong = error_of(*common, "--job-variable", "imgae=x", "--config", "pipeline", *paths)
    assert wrong.startswith("the work pool boxes (type docker) has no job variable 'imgae'; it has: auto_remove, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pool", "nope"), r"--pool nope: no such work pool \(.*\); add --create-pool process, or run `prefect work"),
        (("--pool", "nope", "--create-pool", "ship"), r"--create-pool ship: no such type of work pool; wanted one of"),
        (("--cron", "0 3 * *"), r'--cron: Invalid cron string: "0 3 \* \*"; wanted five fields such as "0 3 \* \* \*"'),
        (("--cron", "0 3 30 2 *"), r"--cron '0 3 30 2 \*' never fires"),
        (("--cron", "@daily", "--timezone", "Mars"), r'--timezone: Invalid timezone: "Mars"; wanted an IANA name'),
        (("--set", "stor=x"), r"mine.yaml: 1 problem.*\n  stor: unknown key; did you mean 'store'\?"),
        (("--job-variable", "image"), r"--job-variable: got 'image'; wanted KEY=VALUE"),
    ],
)
def test_a_wrong_deployment_is_explained_and_not_made(server, folder, arguments, message):
    before = server.ask("deployments")
    assert re.match(message, error_of("deploy", "catalog", "--config", "mine.yaml", *arguments))
    assert len(server.ask("deployments")) == len(before)


def test_a_server_is_needed_and_must_answer(folder: Path):
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        message = error_of("schedule", "catalog", "--config", "mine.yaml")
        assert message.startswith("no Prefect server: set PREFECT_API_URL. `prefect server start` starts one")
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        message = error_of("deploy", "catalog", "--config", "mine.yaml")
        assert message.startswith("PREFECT_API_URL: no Prefect server answers at http://127.0.0.1:")


def test_cron_fires_in_its_time_zone_and_across_the_clock_change():
    first, second = next_runs("0 3 * * *", "Europe/Berlin", 2)
    assert (first.hour, second - first) in ((3, timedelta(days=1)), (3, timedelta(hours=23)), (3, timedelta(hours=25)))
    assert next_runs("* * * * *", "UTC")[0] - datetime.now(UTC) <= timedelta(minutes=1)


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[str]]]:
    """A webhook: its address, and the texts that were posted to it."""
    texts: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    hook = HTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=hook.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{hook.server_port}/hook", texts
    hook.shutdown()


def test_a_worker_runs_what_the_schedule_says_and_a_failure_is_posted(server: Server, folder: Path, start, webhook):
    url, texts = webhook
    deploy("--name", "each-minute", "--cron", "* * * * *", "--notify", url)
    deploy("--name", "broken", "--notify", url)
    worker = start("prefect", "worker", "start", "--pool", "process-pool", "--type", "process")
    broken = start("prefect", "deployment", "run", "catalog/broken", "--param", "config_path=none.yaml")

    def finished() -> list[dict[str, Any]]:
        assert worker.process.poll() is None, worker.printed[-3000:]
        return [run for run in flow_runs(server, "catalog/each-minute") if run["end_time"]]

    run = server.wait_for(finished)[0]
    assert (run["state"]["name"], run["auto_scheduled"]) == ("Completed", True), worker.printed[-3000:]
    assert re.fullmatch(r"catalog mine \d{4}-\d\d-\d\d", run["name"])
    tags = {"stage:catalog", "config:mine", f"store:{folder / 'data'}", "auto-scheduled", "audioae"}
    assert set(run["tags"]) == tags
    (row, *_) = reversed(list_runs(Store(str(folder / "data"))))
    assert (row["run_id"], row["state"]) == (run["id"], "completed")
    assert row["counts"]["catalog"]["tracks"] == 2
    left = [one for one in server.ask("artifacts") if one["flow_run_id"] == run["id"]]
    (artifact,) = [one for one in left if one["key"] == "catalog-mine"]
    assert "| tracks | 2 |" in artifact["data"]
    assert broken.process.wait() == 0, broken.printed
    server.wait_for(lambda: texts)
    assert texts[0].startswith("catalog none ")
    assert " ended in Failed: " in texts[0]
    assert "ConfigError: none.yaml: no such config" in texts[0]


def test_a_second_run_waits_or_is_cancelled(server: Server, folder: Path, start):
    deploy("--name", "patient", pool="one-at-a-time")
    deploy("--name", "hasty", "--if-running", "skip", pool="one-at-a-time")
    for name in ("patient", "patient", "hasty", "hasty"):
        assert start("prefect", "deployment", "run", f"catalog/{name}").process.wait() == 0
    # Only now, so that it takes both runs of a deployment at once: the first has not ended before the second is there.
    start("prefect", "worker", "start", "--pool", "one-at-a-time", "--type", "process")

    def ended(name: str) -> list[dict[str, Any]]:
        runs = [run for run in flow_runs(server, f"catalog/{name}") if run["end_time"]]
        return runs if len(runs) == 2 else []

    first, second = sorted(server.wait_for(lambda: ended("patient")), key=lambda run: run["start_time"])
    assert [run["state"]["name"] for run in (first, second)] == ["Completed", "Completed"]
    assert second["start_time"] >= first["end_time"]
    states = sorted(run["state"]["name"] for run in server.wait_for(lambda: ended("hasty")))
    assert states == ["Cancelled", "Completed"]


def test_schedule_needs_no_worker_and_pauses_at_its_end(server: Server, folder: Path, start):
    served = start("audioae", "schedule", "catalog", "--cron", "* * * * *", "--name", "served", "--config",
                   str(folder / "mine.yaml"), "--set", f"store={folder / 'data'}",
                   "--set", f"catalog.source={folder / 'music'}")  # fmt: skip
    served.wait_until(lambda: "serving catalog/served" in served.printed)
    assert "next run: 2" in served.printed
    server.wait_for(lambda: [r for r in flow_runs(server, "catalog/served") if r["state"]["name"] == "Completed"])
    assert Store(str(folder / "data")).latest("tracks")
    status, _, _ = served.end_by(signal.SIGTERM)
    assert status in (0, 143)
    assert served.is_gone(), served.processes()
    assert ask_deployment(server, "catalog/served")["paused"]
