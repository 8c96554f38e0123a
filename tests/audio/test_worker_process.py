"""Inside a worker: bugs are sent with their traceback, output is discarded, and no worker outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audioae.audio.workers import close_workers
from tests.audio import worker_functions as functions
from tests.audio.worker_functions import call, children


@pytest.fixture(scope="module", autouse=True)
def leave_no_worker():
    yield
    close_workers()
    assert children(os.getpid()) == set()


def test_a_bug_is_raised_with_the_workers_traceback():
    with pytest.raises(KeyError, match="no such thing") as caught:
        call(["a", "bug", "b"])
    assert "worker_functions.py" in "".join(caught.value.__notes__)
    assert call(["a"]) == [(0, "a")]


@pytest.mark.parametrize(("what", "error"), [("unpicklable bug", RuntimeError), ("unpicklable result", Exception)])
def test_a_bug_that_cannot_be_pickled_is_raised(what, error):
    with pytest.raises(error, match=r"UnpicklableError: one|lambda") as caught:
        call([what])
    assert "in a worker process" in "".join(caught.value.__notes__)


def test_output_of_a_worker_is_discarded(capfd):
    assert call(["print", "a", "print"]) == [(0, "print"), (1, "a"), (2, "print")]
    assert capfd.readouterr() == ("", "")


def test_a_worker_has_one_thread_per_library_and_none_of_the_parents_modules():
    import torch  # noqa: F401 - loaded in the parent, which must not load it in the worker

    ((_, (pid, threads, has_heavy)),) = call(["OMP_NUM_THREADS"], function=functions.environment, workers=1)
    assert pid != os.getpid()
    assert threads == "1"
    assert not has_heavy


def test_workers_ignore_signals_that_the_parent_handles():
    close_workers()
    call(["a"], workers=1)
    (pid,) = children(os.getpid())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    time.sleep(0.1)
    assert call(["a"], workers=1) == [(0, "a")]
    assert children(os.getpid()) == {pid}


def test_no_worker_outlives_a_killed_parent(tmp_path):
    ready = tmp_path / "ready"
    code = f"from tests.audio.worker_functions import start_and_hang; start_and_hang({str(ready)!r})"
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code], cwd=root) as parent:
        for _ in range(300):
            if ready.exists():
                break
            time.sleep(0.1)
        workers = children(parent.pid) if ready.exists() else set()
        parent.kill()
    assert len(workers) == 4
    for _ in range(50):
        living = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        if not living:
            break
        time.sleep(0.1)
    assert living == []
