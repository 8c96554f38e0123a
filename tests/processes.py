"""A command in a session of its own, and every process that comes of it, found by a variable that they inherit."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARK = "AUDIOAE_TEST_MARK"
PATIENCE_S = 240.0  # until a state is reached, on a busy machine
LIMIT_S = 5.0


def end_with_tests() -> None:
    """Let Linux kill this process with the tests, should they be killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _prepare() -> None:
    """Take SIGINT, which CI in the background ignores; end with the tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_tests()


class Run:
    """A command that has been started; its output goes to the file `log`."""

    def __init__(self, command: Sequence[str], log: Path, **environment: str):
        self.mark = uuid.uuid4().hex
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, MARK: self.mark, **environment},
                cwd=ROOT,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_prepare,
            )

    @property
    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    def processes(self) -> list[str]:
        """Numbers and commands of all processes of this run that are alive."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes():
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
                    found += [f"{folder.name} {command}"] if command else []  # a zombie has none
            except OSError:
                continue
        return found

    def wait_until(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert self.process.poll() is None, self.printed[-3000:]
            assert time.monotonic() < deadline, self.printed[-3000:]
            time.sleep(0.02)

    def end_by(self, number: signal.Signals, *, group: bool = False) -> tuple[int, float, list[str]]:
        """Exit status, seconds, and the lines printed since the signal was sent."""
        already = len(self.printed)
        start = time.monotonic()
        (os.killpg if group else os.kill)(self.process.pid, number)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not end: {self.printed[already:]}\n{self._threads()}") from None
        seconds = time.monotonic() - start
        return status, seconds, self.printed[already:].splitlines()

    def _threads(self) -> list[str]:
        """State and place in the kernel of each thread: D waits for a disk."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").glob("*"):
            with contextlib.suppress(OSError):  # it has just ended
                found.append(f"{(task / 'stat').read_text().split()[1:3]} {(task / 'wchan').read_text()}")
        return found

    def is_gone(self) -> bool:
        """Whether all processes have ended, within the limit."""
        deadline = time.monotonic() + LIMIT_S
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.processes()

    def kill(self) -> None:
        """End what is left of a failed test."""
        for line in self.processes():
            os.kill(int(line.split()[0]), signal.SIGKILL)
        self.process.wait(10)
