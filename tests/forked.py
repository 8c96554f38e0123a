"""Commands in processes of their own that need not import everything again: each is a fork of one that has.

Why: PyTorch and Prefect take seconds to import, and a test of flows runs a dozen commands. What a command does from
`main` on, its exit status and what it prints are those of a program that a user starts; one test starts that program.
"""

import atexit
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Forked:
    """Runs modules as commands."""

    def __init__(self, process: subprocess.Popen[str], folder: Path):
        self._process, self._folder = process, folder

    def run(self, module: str, arguments: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """What `python -m <module> <arguments>` does and prints, in the repository."""
        assert self._process.stdin
        assert self._process.stdout
        files = [str(self._folder / name) for name in ("stdout", "stderr")]
        self._process.stdin.write(json.dumps([module, [*arguments], environment, *files]) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        stdout, stderr = (Path(file).read_text() for file in files)
        return subprocess.CompletedProcess([module, *arguments], status, stdout, stderr)


@contextmanager
def forked(preload: Sequence[str], **environment: str) -> Iterator[Forked]:
    """Start the process that imports `preload` and then forks for each command."""
    code = f"from tests.forked import serve; serve({[*preload]!r})"
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Forked(process, Path(folder))
        finally:
            process.communicate(timeout=60)  # ends with its input


def serve(preload: Sequence[str]) -> None:
    """Fork for each line of the input, and print the exit status of each."""
    for module in preload:
        importlib.import_module(module)
    for line in sys.stdin:
        module, arguments, environment, stdout, stderr = json.loads(line)
        child = os.fork()
        if not child:
            for descriptor, path in ((1, stdout), (2, stderr)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
            os.environ.update(environment)
            os._exit(_run(module, arguments))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _run(module: str, arguments: Sequence[str]) -> int:
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()  # Prefect sends its last logs there
    sys.stdout.flush()
    sys.stderr.flush()
    return status
