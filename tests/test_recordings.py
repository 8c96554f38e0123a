"""Real recordings: found by an environment variable, and missed loudly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import recordings

ROOT = Path(__file__).parents[1]
WITHOUT = """
import sys, pytest
from pathlib import Path
from tests import recordings
recordings.FOLDER, recordings.MISSING = Path("nowhere"), "no real recordings in nowhere"
sys.exit(pytest.main(["-q", "-n0", "-p", "no:cacheprovider", "tests/audio/test_features.py", "-k", "real_recordings"]))
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    variables = {name: value for name, value in os.environ.items() if name != recordings.VARIABLE} | environment
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False)


def test_missing_recordings_are_reported_at_the_end_of_a_test_run():
    result = run(WITHOUT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 test SKIPPED: no real recordings in nowhere" in result.stdout
    assert "set AUDIOAE_TEST_DATA to a folder with esc10.csv and music.csv" in result.stdout


def test_the_variable_names_the_folder(tmp_path: Path):
    for name in ("esc10.csv", "music.csv"):
        (tmp_path / name).touch()
    code = "from tests import recordings; print(recordings.available(), recordings.FOLDER)"
    result = run(code, AUDIOAE_TEST_DATA=str(tmp_path))
    assert result.stdout == f"True {tmp_path}\n", result.stderr


def test_a_wrong_folder_in_the_variable_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(recordings.VARIABLE, str(tmp_path))
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no esc10\.csv and music\.csv there"):
        recordings.available()
