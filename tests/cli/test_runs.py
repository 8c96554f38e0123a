"""`audioae runs`: a list that fits a terminal, and everything about one run."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audioae.cli import app
from audioae.pipeline.run_log import FAILED, RunRow, append_run
from audioae.store.dataset import Store

RUN = CliRunner()
START = datetime(2026, 3, 1, 3, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A store with a good run and a later one that failed; the IDs begin alike, as those of scheduled runs do."""
    who: dict[str, Any] = {"user": "anna", "host": "box", "config_name": "mine", "config": {"store": "data"}}
    times: dict[str, Any] = {"started_at": START, "finished_at": START + timedelta(seconds=90)}
    good = RunRow("01a21a70-0000-0000-0000-00000000000a", "pipeline", versions={"audioae": "1"}, **who, **times)
    good.counts, good.rejects = {"catalog": {"tracks": 60}, "embed": {"tracks": 57}}, {"silent": 2, "empty": 1}
    good.seconds, good.warnings = {"mels": 1.5}, ["1 file was left out"]
    bad = RunRow("01a21a70-0000-0000-0000-00000000000b", "embed", versions={}, **who)
    bad.state, bad.error = FAILED, "StoreError: no space left"
    for row in (good, bad):
        append_run(Store(str(tmp_path)), row)
    return str(tmp_path)


def answer(*arguments: str, status: int = 0) -> str:
    result = RUN.invoke(app, ["runs", *arguments], env={"COLUMNS": "80"})
    assert result.exit_code == status, result.output
    return result.output


def test_the_newest_comes_first_and_a_line_fits(root: str):
    text = answer("--store", root)
    lines = [line for line in text.splitlines() if "0000000" in line]
    assert [line.split()[1] for line in lines] == ["0000000b", "0000000a"]
    assert "03-01 03:00" in lines[1]
    assert lines[1].split("│")[-3:-1] == [" 60     ", " 3        "]
    assert max(map(len, text.splitlines())) <= 80
    assert "0000000a" not in answer("1", "--store", root)


def test_json_has_everything(root: str):
    bad, good = json.loads(answer("--json", "--store", root))
    assert (bad["state"], bad["error"]) == ("failed", "StoreError: no space left")
    assert good["rejects"] == {"silent": 2, "empty": 1}
    assert good["started_at"] == "2026-03-01T03:00:00+00:00"
    assert json.loads(answer("show", "0a", "--json", "--store", root)) == good


def test_show_says_who_when_and_why(root: str):
    text = answer("show", "last", "--store", root)
    for words in ("embed mine", "failed", "StoreError: no space left", "anna@box"):
        assert words in text, words
    text = answer("show", "0a", "--store", root)
    for words in ("2026-03-01T03:00:00+00:00", "silent", "57", "warning: 1 file was left out"):
        assert words in text, words


def test_what_cannot_be_answered_is_said(root: str, tmp_path: Path):
    assert answer("--store", str(tmp_path / "none")).startswith("no run is recorded in ")
    assert "wanted a number of runs, or: show ID" in answer("many", "--store", root, status=2)
    result = RUN.invoke(app, ["runs", "show", "ff", "--store", root])
    assert str(result.exception) == "no run 'ff' among 2; `audioae runs` lists them"
