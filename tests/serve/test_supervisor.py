"""The supervisor, with workers that do next to nothing: what dies is replaced, and nobody is left behind."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.processes import LIMIT_S, Run

PROGRAM = """
import os, signal, sys, time
from audioae.serve.supervisor import Supervisor
folder = {folder!r}
def note(name, content=""):
    with open(os.path.join(folder, name), "a") as file:
        file.write(content + "\\n")
def work(channel, told):
    note("workers", str(os.getpid()))
    {work}
supervisor = Supervisor({n}, work, started=lambda message: note("started"), ended=lambda pid: note("ended", str(pid)),
    grace_s={grace_s})
error = supervisor.run()
print("error:", error)
sys.exit(1 if error else 0)
"""
SERVE = """
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    channel.send("ready", index=told.get("index", "index@old"), pinned=False)
    while not ending:
        for message in channel.receive():
            note("messages", f"{os.getpid()} {message}")
        if os.path.exists(os.path.join(folder, f"swap-{os.getpid()}")):
            os.remove(os.path.join(folder, f"swap-{os.getpid()}"))
            channel.send("swapped", index="index@new", pinned=False)
        time.sleep(0.02)
    time.sleep(float(os.environ.get("IN_FLIGHT_S", "0")))
    note("told", str(told))
    return 0
"""


class Folder:
    def __init__(self, path: Path):
        self.path = path

    def lines(self, name: str) -> list[str]:
        path = self.path / name
        return path.read_text().splitlines() if path.exists() else []

    def begin(self, work: str, n: int = 2, grace_s: float = 3.0, **environment: str) -> Run:
        program = PROGRAM.format(folder=str(self.path), work=work.strip(), n=n, grace_s=grace_s)
        return Run([sys.executable, "-c", program], self.path / "log", **environment)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_dead_worker_is_replaced_and_a_signal_ends_all_after_what_is_in_flight(folder, number):
    run = folder.begin(SERVE, IN_FLIGHT_S="0.5")
    try:
        run.wait_until(lambda: folder.lines("started"))
        first = [int(pid) for pid in folder.lines("workers")]
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        run.wait_until(lambda: len(folder.lines("workers")) == 3)
        assert folder.lines("ended") == [str(first[0])]
        time.sleep(0.3)  # until the new one takes signals
        assert len(run.processes()) == 3
        status, seconds, lines = run.end_by(number, group=number == signal.SIGINT)
        assert (status, lines) == (0, ["error: None"])
        assert 0.5 <= seconds < 3
        assert len(folder.lines("told")) == 2, "both finished what was in flight"
        assert len(folder.lines("ended")) == 3
        assert run.is_gone()
    finally:
        run.kill()


def test_a_worker_that_does_not_end_is_killed_and_no_worker_outlives_a_killed_supervisor(folder):
    run = folder.begin(SERVE, grace_s=0.7, IN_FLIGHT_S="60")
    try:
        run.wait_until(lambda: folder.lines("started"))
        time.sleep(0.2)
        status, seconds, lines = run.end_by(signal.SIGTERM)
        assert status == 0
        assert 0.7 <= seconds < 3
        assert sum("had not ended after 0.7 s and was killed" in line for line in lines) == 2
        assert run.is_gone()
    finally:
        run.kill()
    run = folder.begin(SERVE)
    try:
        run.wait_until(lambda: len(folder.lines("started")) == 2)
        run.end_by(signal.SIGKILL)
        assert run.is_gone(), run.processes()
    finally:
        run.kill()


def test_a_swap_is_told_to_the_others_and_to_those_that_come_later(folder):
    run = folder.begin(SERVE)
    try:
        run.wait_until(lambda: folder.lines("started"))
        a, b = (int(pid) for pid in folder.lines("workers"))
        (folder.path / f"swap-{a}").touch()
        swap = {"kind": "swap", "index": "index@new", "pinned": False}
        run.wait_until(lambda: folder.lines("messages") == [f"{b} {swap}"])
        os.kill(b, signal.SIGKILL)
        run.wait_until(lambda: len(folder.lines("workers")) == 3)
        c = int(folder.lines("workers")[-1])
        time.sleep(0.3)
        os.kill(run.process.pid, signal.SIGHUP)
        reload = {"kind": "reload"}
        run.wait_until(lambda: sorted(folder.lines("messages")[1:]) == sorted([f"{a} {reload}", f"{c} {reload}"]))
        os.kill(a, signal.SIGKILL)
        run.wait_until(lambda: len(folder.lines("workers")) == 4)
        time.sleep(0.3)
        run.end_by(signal.SIGTERM)
        told = folder.lines("told")
        assert told == [str({"index": "index@new", "pinned": False})] * 2
    finally:
        run.kill()


def test_an_error_that_a_worker_reports_at_the_start_ends_all_at_once(folder):
    run = folder.begin('channel.send("failed", error="StoreError: no index"); return 1')
    try:
        assert run.process.wait(30) == 1
        assert run.printed.splitlines()[-1] == "error: StoreError: no index"
        assert len(folder.lines("workers")) <= 2
        assert run.is_gone()
    finally:
        run.kill()


def test_the_third_death_at_the_start_ends_all_with_the_traceback(folder):
    run = folder.begin('raise RuntimeError("a bug")', n=1)
    try:
        assert run.process.wait(30) == 1
        assert len(folder.lines("workers")) == 3
        assert run.printed.count("RuntimeError: a bug") == 3
        last = run.printed.splitlines()[-1]
        pid = folder.lines("workers")[-1]
        assert last == f"error: worker {pid} ended before it was ready; its output is above"
    finally:
        run.kill()


def test_what_cannot_be_replaced_is_tried_again_while_another_answers(folder):
    work = f"""
    if os.path.exists(os.path.join(folder, "broken")):
        channel.send("failed", error="StoreError: the store is away")
        return 1
    {SERVE.strip()}
    """
    run = folder.begin(work)
    try:
        run.wait_until(lambda: folder.lines("started"))
        (folder.path / "broken").touch()
        a, _ = (int(pid) for pid in folder.lines("workers"))
        os.kill(a, signal.SIGKILL)
        run.wait_until(lambda: len(folder.lines("workers")) >= 4)
        (folder.path / "broken").unlink()
        begun = time.monotonic()
        run.wait_until(lambda: len(run.processes()) == 3)
        assert time.monotonic() - begun < LIMIT_S
        assert "a worker cannot start, the next attempt is in 1 s: StoreError: the store is away" in run.printed
        assert run.process.poll() is None
    finally:
        run.kill()


def test_messages_arrive_whole_and_a_closed_channel_is_noticed():
    from audioae.serve.channel import Channel

    ours, theirs = Channel.pair()
    theirs.send("swapped", index="x" * 1000)
    theirs.send("ready")
    assert ours.receive() == [{"kind": "swapped", "index": "x" * 1000}, {"kind": "ready"}]
    assert ours.receive() == []
    theirs._socket.send(json.dumps({"kind": "half"}).encode())
    assert ours.receive() == []
    theirs._socket.send(b"\n")
    assert ours.receive() == [{"kind": "half"}]
    assert not ours.is_closed
    theirs.close()
    assert ours.receive() == []
    assert ours.is_closed
    ours.send("reload")
