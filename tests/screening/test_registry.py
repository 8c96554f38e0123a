"""The registry: adding a check takes one folder and one line, and every check keeps the contract."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audioae.config import Config
from audioae.screening.check import Check
from audioae.screening.registry import CHECKS, NAMES

ROOT = Path(__file__).parents[2]
FOLDERS = ROOT / "audioae" / "screening"


def test_a_check_is_one_folder_and_one_line(tmp_path: Path):
    """In a copy of the package with folder `dummy` and its line, the check runs, lists findings, takes a verdict."""
    shutil.copytree(ROOT / "audioae", tmp_path / "audioae", ignore=shutil.ignore_patterns("__pycache__"))
    dummy = tmp_path / "audioae" / "screening" / "dummy"
    dummy.mkdir()
    (dummy / "__init__.py").touch()
    shutil.copy(ROOT / "tests" / "screening" / "dummy" / "check.py", dummy)
    registry = tmp_path / "audioae" / "screening" / "registry.py"
    registry.write_text(registry.read_text().replace('    "duplicate",\n', '    "duplicate",\n    "dummy",\n'))
    config = ROOT / "configs" / "tiny.yaml"
    command = [sys.executable, "-m", "tests.screening.dummy.walkthrough", str(config), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert Path(result["package"]).is_relative_to(tmp_path)
    (overview,) = result["overview"]["checks"]
    assert (overview["check"], overview["title"]) == ("dummy", "Dummy: the title contains a word")
    assert overview["accuracy"] == ["40 titles were read."]
    issues = ["t1", *(f"t{i}" for i in range(10, 20) if i != 14)]
    assert [row["track_id"] for row in result["worst"] if row["is_issue"]] == issues
    assert result["worst"][0]["why"] == "its title contains t1"
    assert result["after verdict"] == issues[1:]
    assert "screen.word: unknown key" in result["unknown check"]
    assert "corrupt, dummy, duplicate, generated, mislabeled" in result["unknown check"]


def test_every_folder_with_a_check_is_registered():
    assert set(NAMES) == {path.parent.name for path in FOLDERS.glob("*/check.py")}
    assert list(CHECKS) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_describes_itself(name: str):
    check = CHECKS[name]
    assert isinstance(check, Check)
    assert check.name == name
    assert check.title.lower().startswith(f"{name}: "), "a heading is the name and what an issue means"
    assert check.code >= 1
    assert isinstance(check.config(), Config), "all settings have defaults"
    assert isinstance(check.run, Callable)
    assert check.self_test({}) == [], "a document of another version is no error"
    assert check.self_test({"types": None, "families": None, "random": None, "auroc": 0.97}) == []


HEAVY = ["torch", "faiss", "librosa", "numba", "soundfile", "av", "sklearn", "scipy", "matplotlib"]


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("config", [*HEAVY, "numpy", "pyarrow"]), ("findings", HEAVY), ("run", HEAVY)],
)
def test_configs_findings_and_the_stage_import_nothing_heavy(module: str, heavy: list[str]):
    code = f"import sys, audioae.screening.{module}; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
