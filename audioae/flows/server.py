"""The Prefect server of a run: the one that PREFECT_API_URL names, or a private one that ends with this process.

Conventions
-----------
- The private server is a process in a session of its own, so Ctrl-C in a terminal does not reach it. Linux kills it
  with this process (PR_SET_PDEATHSIG), however that ends. It listens on 127.0.0.1, at a port that the system chooses.

Why not Prefect's own private server: it outlives a killed run, and Ctrl-C ends it before the run that needs it.
Why it ends at exit and not with the flow: Prefect sends the last logs and events when the interpreter exits.
"""

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import IO, NamedTuple

from prefect.client.orchestration import get_client
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    temporary_settings,
)

from audioae.errors import ConfigError

_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from audioae.flows.server_process import serve; serve()"
)
_ENVIRONMENT = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}
_ANSWER_S = 10.0  # for a server that is said to be running
_END_S = 5.0


class _Private(NamedTuple):
    process: subprocess.Popen[bytes]
    port: int
    output: IO[bytes]


_started: list[_Private] = []


@contextlib.contextmanager
def prefect_server(start_s: float) -> Iterator[None]:
    """Within this context, flows report to the server that PREFECT_API_URL names, else to a private one.

    Parameters
    ----------
    start_s : float
        Seconds that a private server may take to answer.

    Raises
    ------
    ConfigError
        If the named server does not answer, or the private one does not come up in time.
    """
    url = PREFECT_API_URL.value()
    if url:
        require_answer(url)
    else:
        url = f"http://127.0.0.1:{_private_port(start_s)}/api"
    with temporary_settings({PREFECT_API_URL: url, PREFECT_SERVER_ANALYTICS_ENABLED: False}):
        yield


def is_private() -> bool:
    """Whether this process has started a private server."""
    return bool(_started)


def require_answer(url: str) -> None:
    """Raise `ConfigError` if no Prefect server answers at `url`."""
    once = temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0})  # else a silent server is asked for minutes
    with once, get_client(httpx_settings={"timeout": _ANSWER_S}, sync_client=True) as client:
        error = client.api_healthcheck()
    if error:
        raise ConfigError(
            f"PREFECT_API_URL: no Prefect server answers at {url} ({_in_a_line(error)}); start that server, or unset "
            "PREFECT_API_URL to run with a private one"
        )


def _private_port(start_s: float) -> int:
    """The port of this process's private server, which is started if it is not running."""
    if not _started or _started[-1].process.poll() is not None:
        server = _start()
        atexit.register(_end, server.process)
        _wait(server, start_s)
        _started.append(server)
    return _started[-1].port


def _start() -> _Private:
    output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process lives
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, json.dumps(sys.path), str(os.getpid()), str(number)],
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[number],
            start_new_session=True,
        )
        return _Private(process, listening.getsockname()[1], output)


def _wait(server: _Private, start_s: float) -> None:
    """Wait for the first answer: the socket listens already, so one request waits in its queue."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=start_s)
    try:
        connection.request("GET", "/api/health")
        if (status := connection.getresponse().status) == 200:
            return
        problem = f"answered with status {status}"
    except TimeoutError:
        problem = f"did not answer within {start_s:g} s (run.server_start_s)"
    except (OSError, HTTPException) as error:
        problem = f"ended at its start ({_in_a_line(error)})"
    finally:
        connection.close()
    server.process.kill()
    server.process.wait()
    server.output.seek(0)
    lines = server.output.read().decode(errors="replace").split("\n")
    last = next((f"; its last line: {line.strip()}" for line in reversed(lines) if line.strip()), "")
    raise ConfigError(
        f"Prefect's private server {problem}{last}. Run again with a larger run.server_start_s, or start a server "
        "(`prefect server start`) and name it in PREFECT_API_URL"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
