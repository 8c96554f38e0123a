"""What a run tells: names, tags, states, artifacts, logs and its row in the store, on a real Prefect server."""

import base64
import io
import json
import logging
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image
from prefect.settings import PREFECT_API_URL, temporary_settings

from audioae.errors import ConfigError, StoreError
from audioae.flows import artifacts, progress, reporting
from audioae.flows.artifacts import data_uri, publish_artifact, publish_drift, table
from audioae.flows.common import log_progress
from audioae.flows.logs import JsonLines
from audioae.flows.progress import StageProgress
from audioae.flows.reporting import DRIFT, current, record_stopped, reported_flow
from audioae.pipeline import drift
from audioae.pipeline.run_log import list_runs
from audioae.store.dataset import Store
from tests.flows.prefect_server import Server

Config = tuple[str, str]


@pytest.fixture(scope="module")
def server(prefect_server: Server) -> Iterator[Server]:
    with temporary_settings({PREFECT_API_URL: prefect_server.url}):
        yield prefect_server


@pytest.fixture
def mine(tmp_path: Path) -> Config:
    """A config of the name mine, and the root of its store."""
    root = tmp_path / "store"
    path = tmp_path / "mine.yaml"
    path.write_text(f"store: {root}\ncatalog: {{source: {tmp_path / 'music'}}}\n")
    return str(path), str(root)


def run_of(server: Server, run_id: str) -> dict[str, Any]:
    return server.get(f"flow_runs/{run_id}")


def test_a_run_with_rejects_and_drift_says_so_everywhere(server: Server, mine: Config):
    @reported_flow
    def embed(config_path: str, overrides: list[str] | None = None) -> str:
        report = current()
        assert report
        log_progress("tracks embedded")(5, 5)
        report.count_rejects({"silent": 1200, "empty": 1})
        report.warn(DRIFT, "the new tracks differ")
        logging.getLogger("audioae.store").warning("skipped a part of s3://me:secret@bucket/x")
        publish_artifact("embed", "embeddings@1", {"recall_at_10": 0.0792175001151918, "tracks": 12345, "a|b": "*c*"})
        return "embeddings@1"

    assert embed(mine[0]) == "embeddings@1"
    (row,) = list_runs(Store(mine[1]))
    run = run_of(server, row["run_id"])
    assert run["name"].startswith("embed mine 20")
    assert set(run["tags"]) == {"stage:embed", "config:mine", f"store:{mine[1]}"}
    rejects = "1,201 tracks rejected: silent 1,200, empty 1"
    assert (run["state"]["type"], run["state"]["name"]) == ("COMPLETED", "CompletedWithDrift")
    assert run["state"]["message"] == f"{rejects}; the new tracks differ"
    found = {one["key"]: one["data"] for one in server.ask("artifacts") if one["flow_run_id"] == run["id"]}
    assert "| recall at 10 | 0.0792 |\n| tracks | 12,345 |\n| a\\|b | \\*c\\* |" in found["embed-mine"]
    assert found["progress-embed-mine"] == 100.0
    assert (row["state"], row["rejects"], row["flow"]) == (
        "completed with warnings",
        {"silent": 1200, "empty": 1},
        "embed",
    )
    assert row["counts"]["embed"]["tracks"] == 12345
    assert row["refs"] == {"embed": "embeddings@1"}
    assert row["warnings"] == ["skipped a part of s3://bucket/x"]
    assert row["config"]["store"] == mine[1]
    assert {"audioae", "prefect", "python"} <= set(row["versions"])

    def logged() -> list[dict[str, Any]]:
        lines = server.ask("logs", limit=200)
        return [line for line in lines if line["flow_run_id"] == run["id"] and line["name"] == "audioae.store"]

    (line,) = server.wait_for(logged)
    assert (line["level"], line["message"][:14]) == (30, "skipped a part")


def test_a_pipeline_has_one_row_for_all_its_stages(server: Server, mine: Config):
    @reported_flow
    def mels(config_path: str, overrides: list[str] | None = None) -> str:
        report = current()
        assert report
        report.count_rejects({"silent": 1})
        return "mels@1"

    @reported_flow
    def train(config_path: str, overrides: list[str] | None = None, mels: str | None = None) -> str:
        raise StoreError(f"no space left for {mels}")

    @reported_flow
    def pipeline(config_path: str, overrides: list[str] | None = None) -> str:
        return train(config_path, overrides, mels(config_path, overrides))

    with pytest.raises(StoreError, match="no space left for mels@1"):
        pipeline(mine[0])
    (row,) = list_runs(Store(mine[1]))
    assert (row["flow"], row["state"], row["error"]) == ("pipeline", "failed", "StoreError: no space left for mels@1")
    assert set(row["seconds"]) == {"mels", "train"}
    assert run_of(server, row["run_id"])["state"]["type"] == "FAILED"
    stage = next(run for run in server.ask("flow_runs") if run["name"].startswith("mels mine"))
    assert stage["state"]["name"] == "CompletedWithRejects"


def test_what_cannot_be_told_fails_no_run(server: Server, mine: Config, monkeypatch, caplog):
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    @reported_flow
    def index(config_path: str, overrides: list[str] | None = None) -> str:
        publish_drift(Store(mine[1]), "nonsense")  # type: ignore[arg-type]
        return "index@1"

    monkeypatch.setattr(reporting, "append_run", full)
    monkeypatch.setattr(reporting, "get_client", full)
    assert index(mine[0]) == "index@1"
    for words in ("the run is not recorded in", "the flow run has no tags", "drift of nonsense is not measured"):
        assert words in caplog.text, words


def test_an_error_in_the_settings_is_recorded_only_where_there_is_a_store(server: Server, mine: Config):
    @reported_flow
    def catalog(config_path: str, overrides: list[str] | None = None) -> str:
        raise ConfigError("catalog.source: folder not found")

    with pytest.raises(ConfigError):
        catalog(mine[0])
    assert not Path(mine[1]).exists()
    Store(mine[1]).storage.write("tracks/versions/x.json", b"{}")
    with pytest.raises(ConfigError):
        catalog(mine[0])
    assert [row["error"] for row in list_runs(Store(mine[1]))] == ["ConfigError: catalog.source: folder not found"]


def test_a_stopped_run_is_recorded(server: Server, mine: Config):
    seen = []

    @reported_flow
    def similar(config_path: str, overrides: list[str] | None = None) -> str:
        record_stopped("stopped in similar; run the same command to go on")
        seen.extend(list_runs(Store(mine[1])))
        return "similar@1"

    similar(mine[0])
    assert [(row["state"], row["error"][:18]) for row in seen] == [("stopped", "stopped in similar")]


def test_drift_is_shown(server: Server, mine: Config, monkeypatch):
    alarmed = drift.DriftReport(
        "model@1", "embeddings@2", n_new=40, auroc=0.81234567, alarms=("they differ",), retrain=True
    )
    monkeypatch.setattr(drift, "update_drift", lambda *_: alarmed)

    @reported_flow
    def embed(config_path: str, overrides: list[str] | None = None) -> str:
        publish_drift(Store(mine[1]), "embeddings@2")  # type: ignore[arg-type]
        return "embeddings@2"

    embed(mine[0])
    (row,) = list_runs(Store(mine[1]))
    assert (row["drift"]["alarms"], row["drift"]["summary"], row["drift"]["retrain"]) == (1, "they differ", True)
    run = run_of(server, row["run_id"])
    assert (run["state"]["name"], run["state"]["message"]) == ("CompletedWithDrift", "they differ")
    (shown,) = [one["data"] for one in server.ask("artifacts") if one["flow_run_id"] == run["id"]]
    assert "| auroc | 0.812 |" in shown


def lines_of(tmp_path: Path, server: Server, *overrides: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and lines of `audioae run catalog` with run.log_json."""
    (tmp_path / "mine.yaml").write_text("store: data\ncatalog: {source: music}\nrun: {log_json: true}\n")
    command = [sys.executable, "-m", "audioae", "run", "catalog", "mine.yaml"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **server.environment}
    options = [word for override in overrides for word in ("--set", override)]
    run = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    return run.returncode, [json.loads(line) for line in run.stderr.splitlines()]


def test_log_json_writes_one_object_per_line(server: Server, tmp_path: Path):
    (tmp_path / "music").mkdir()
    with wave.open(str(tmp_path / "music" / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(64000))
    (tmp_path / "music" / "notes.txt").write_text("x")
    status, lines = lines_of(tmp_path, server)
    assert status == 0
    assert {line["stage"] for line in lines} == {"catalog"}
    assert lines[-1]["message"].startswith("Finished in state Completed")
    assert lines[-1]["run"].startswith("catalog mine 20")
    assert lines[-1]["run_id"] == list_runs(Store(str(tmp_path / "data")))[0]["run_id"]
    (left_out,) = [line for line in lines if line["logger"] == "audioae.catalog.scan"]
    assert (left_out["level"], left_out["run"]) == ("info", lines[-1]["run"])
    assert "left out: .txt 1" in left_out["message"]
    (tmp_path / "data" / "tracks" / "versions").rename(tmp_path / "data" / "tracks" / "was-versions")
    (tmp_path / "data" / "tracks" / "versions").write_text("in the way")
    status, lines = lines_of(tmp_path, server)
    assert status == 1
    assert (lines[-1]["level"], lines[-1]["logger"]) == ("error", "audioae")


def test_a_line_of_json_has_the_traceback():
    try:
        raise ValueError("wrong\nhere")
    except ValueError:
        record = logging.LogRecord("audioae.x", 40, __file__, 1, "bad %s", ("thing",), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert (line["level"], line["message"], line["run"]) == ("error", "bad thing", None)
    assert line["error"].endswith("ValueError: wrong\nhere")
    assert line["time"].endswith("+00:00")


@pytest.fixture
def bar(monkeypatch) -> list[float]:
    """What a progress bar showed, in percent."""
    shown: list[float] = []

    def create(percent: float, _key: str, _description: str) -> Any:
        shown.append(percent)
        return uuid4()

    monkeypatch.setattr(progress, "SECONDS_BETWEEN_UPDATES", 0.0)
    monkeypatch.setattr(progress, "create_progress_artifact", create)
    monkeypatch.setattr(progress, "update_progress_artifact", lambda _id, percent: shown.append(percent))
    return shown


def test_progress_counts_groups_and_what_the_group_here_has_done(bar: list[float]):
    stage = StageProgress("embed-mine")
    stage.begin(4)
    stage.advance(5, 10)
    stage.end_group()
    stage.end_group()
    stage.advance(1, 10)
    stage.close()
    assert bar == [0.0, 12.5, 25.0, 50.0, 52.5]


def test_a_stage_without_progress_shows_no_bar_and_an_error_is_not_its_own(bar: list[float], monkeypatch):
    StageProgress("index-mine").close()
    assert bar == []

    def refuse(*_: object) -> None:
        raise OSError("no server")

    monkeypatch.setattr(progress, "create_progress_artifact", refuse)
    stage = StageProgress("mels-mine")
    stage.advance(1, 2)
    assert stage.percent == 50


def test_a_table_shows_what_it_is_given():
    assert table(("a", "b"), [("<b>", True)]) == "| a | b |\n|---|---|\n| \\<b\\> | yes |"


def test_a_picture_keeps_the_colors_of_rare_labels():
    pixels = np.full((300, 400, 3), 255, np.uint8)
    pixels[:2, :2], pixels[10:12, :2] = (255, 127, 14), (255, 187, 120)  # two of the palette's oranges
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    head, _, content = data_uri(png.getvalue()).partition(",")
    assert head == "data:image/png;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")).astype(int)
    assert np.abs(shown - pixels.astype(int)).max() <= 4
    assert artifacts.COLORS >= 64
