"""Where compiled kernels are cached: a folder of the user's, never the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import audioae
from audioae.audio.mel import log_mel
from audioae.constants import CLIP_SAMPLES

ONE_MEL = (
    "import numpy as np; from audioae.audio.mel import log_mel; print(float(log_mel(np.ones((1, 66150), 'f4')).sum()))"
)
MEL_IN_A_WORKER = """
import numpy as np
from audioae.audio.mel import log_mel
from audioae.audio.workers import imap_killable
[(_, mel)] = imap_killable(log_mel, [(0, (np.ones((1, 66150), "f4"),))], workers=1, timeout_s=120)
print(float(mel.sum()))
"""


@pytest.fixture(scope="module")
def wanted() -> str:
    return f"{float(log_mel(np.ones((1, CLIP_SAMPLES), np.float32)).sum())}\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A read-only copy of the package, as an installation for all users is."""
    copy = tmp_path / "installed" / "audioae"
    shutil.copytree(Path(audioae.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*copy.rglob("*"), copy):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return copy


def start(code: str, folder: Path, **environment: str) -> subprocess.Popen:
    """A fresh process without NUMBA_CACHE_DIR, unless `environment` has one."""
    variables = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    variables |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=variables, stdout=pipe, stderr=pipe, text=True
    )


def answer(process: subprocess.Popen) -> str:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output


def entries(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def test_processes_may_compile_at_the_same_time(tmp_path: Path, wanted: str):
    cache = tmp_path / "cache"
    processes = [start(ONE_MEL, tmp_path, NUMBA_CACHE_DIR=str(cache)) for _ in range(3)]
    assert [answer(process) for process in processes] == [wanted] * 3
    assert list(cache.rglob("*.nbc"))


@pytest.mark.parametrize("code", [ONE_MEL, MEL_IN_A_WORKER], ids=["here", "in a worker"])
def test_a_read_only_installation_computes_mels_and_caches_for_the_user(
    tmp_path: Path, package: Path, wanted: str, code: str
):
    before = entries(package)
    process = start(code, tmp_path, PYTHONPATH=str(package.parent), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert answer(process) == wanted
    assert entries(package) == before
    assert list((tmp_path / "cache" / "audioae").rglob("*.nbc"))


def test_without_a_writable_cache_mels_are_computed_and_nothing_is_written(tmp_path: Path, package: Path, wanted: str):
    before = entries(package)
    blocked = str(package / "errors.py")  # a file where a folder is wanted: holds for root, too
    process = start(ONE_MEL, tmp_path, PYTHONPATH=str(package.parent), XDG_CACHE_HOME=blocked)
    assert answer(process) == wanted
    assert entries(package) == before
    assert not list(tmp_path.rglob("*.nbc"))


def test_the_users_own_numba_settings_are_left_as_they_are(tmp_path: Path):
    code = "import numba, audioae.audio.mel_kernels; print(repr(numba.config.CACHE_DIR))"
    assert answer(start(code, tmp_path, XDG_CACHE_HOME=str(tmp_path))) == "''\n"
