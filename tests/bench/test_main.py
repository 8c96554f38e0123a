"""The report of the benchmarks: its exit status, and figures without a bar."""

import importlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from tests.bench.harness import Row

MET, MISSED, NO_BAR = Row("speed", 2.0, 1.5), Row("time", 3.0, 2.0, "s", "slow", False), Row("share", 0.4, None, "")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Run the report on given rows, as the subject `made`; returns its exit status."""
    with mock.patch.dict(os.environ):  # it sets the number of threads
        main = importlib.import_module("tests.bench.__main__")
    (tmp_path / "results").mkdir()
    (tmp_path / "bench_made.py").touch()
    monkeypatch.setattr(main, "HERE", tmp_path)

    def run(*arguments: str, rows: tuple[Row, ...] = ()) -> int:
        made = SimpleNamespace(measure=lambda: list(rows))
        monkeypatch.setattr(main, "importlib", SimpleNamespace(import_module=lambda name: made))
        return main.main(list(arguments))

    return run


@pytest.mark.parametrize(
    ("rows", "arguments", "status"),
    [
        ((MET, NO_BAR), (), 0),
        ((MET, MISSED), (), 1),
        ((MET, MISSED), ("--allow-missed",), 0),
        ((Row("nothing", float("nan"), 0.0),), (), 1),
        ((), ("unheard-of",), 2),
    ],
)
def test_a_missed_bar_is_an_error_unless_it_is_allowed(bench, rows, arguments, status):
    assert bench(*arguments, rows=rows) == status


def test_figures_without_a_bar_are_marked_so(bench, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert bench("made", rows=(MET, MISSED, NO_BAR)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines[1:4]] == [
        "speed 2x >= 1.5x met",
        "time 3s <= 2s MISSED slow",
        "share 0.4 no bar",
    ]
    assert lines[-1].startswith("1 of 2 bars met, figures without a bar: 1; written to ")
    saved = json.loads((tmp_path / "results" / "bench-made.json").read_text())
    assert [row["met"] for row in saved["rows"]] == [True, False, None]
