"""A Prefect server as a team has it: a process of its own, asked over HTTP."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import free_port
from tests.processes import PATIENCE_S, end_with_tests

BIN = Path(sys.executable).parent


class Server:
    """A running server: its address, and the environment that names it."""

    def __init__(self, port: int, home: Path):
        self.url = f"http://127.0.0.1:{port}/api"
        self.environment = {
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "0",
        }

    def ask(self, what: str, **filters: Any) -> list[dict[str, Any]]:
        """What the API lists, such as `flow_runs`."""
        request = urllib.request.Request(
            f"{self.url}/{what}/filter", json.dumps(filters).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=60) as answer:
            return json.load(answer)

    def wait_for(self, found: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """The first true answer."""
        deadline = time.monotonic() + patience_s
        while not (answer := found()):
            assert time.monotonic() < deadline, self.ask("flow_runs")
            time.sleep(0.5)
        return answer


@contextmanager
def running_server(home: Path) -> Iterator[Server]:
    """Start a server with its database in `home`, and end it."""
    port = free_port()
    server = Server(port, home)
    process = subprocess.Popen(
        [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, **server.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_tests,
    )
    try:
        for _ in range(240):
            with suppress(OSError), urllib.request.urlopen(f"{server.url}/health", timeout=5) as answer:
                if answer.status == 200:
                    break
            time.sleep(0.5)
        yield server
    finally:
        process.terminate()
        process.wait(30)
