"""`run`: check the settings, bind the port, and supervise the workers. Nothing heavy is imported before that.

Conventions
-----------
- One line on stderr says when the service is ready. stdout has the access log only; errors are JSON lines on stderr.
- Without keys the service is for this machine only: it binds to a loopback address, or not at all.
"""

import contextlib
import ipaddress
import json
import logging
import os
import shutil
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from audioae.errors import ConfigError
from audioae.serve.auth import VARIABLE, Keys
from audioae.serve.config import ServeConfig
from audioae.serve.supervisor import Supervisor

_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def run(config: ServeConfig, announce: Callable[[str], None]) -> str | None:
    """Serve until SIGTERM or SIGINT; None then, else the error that ended it.

    Parameters
    ----------
    config : ServeConfig
    announce : callable (str)
        Is given one line when the service is ready.

    Raises
    ------
    ConfigError
        If the keys or the address cannot be used.
    """
    keys = Keys.load(config.keys_file, os.environ.get(VARIABLE))
    listener = bind(config, has_keys=bool(keys))
    for library in _LIBRARIES:  # a worker computes one query per thread; more threads would fight for the cores
        os.environ[f"{library}_NUM_THREADS"] = "1"
    log_as_json()
    with listener, _metrics_folder(config.workers) as folder:
        import audioae.serve.app  # noqa: F401 - first, since a missing module of it names the right extra
        from audioae.serve import worker

        worker.preload()
        supervisor = Supervisor(
            config.workers,
            partial(worker.work, config, listener),
            started=lambda message: announce(_ready_line(config, listener, len(keys), message)),
            ended=partial(_forget, folder),
        )
        return supervisor.run()


def bind(config: ServeConfig, *, has_keys: bool) -> socket.socket:
    """A socket on the host and port of `config`; nothing listens yet.

    Raises
    ------
    ConfigError
        If the address is not of this machine or in use, or can be reached from others without a key.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError(f"--host {config.host}: no such address ({error.strerror})") from None
    if not has_keys and not ipaddress.ip_address(address[0]).is_loopback:
        raise ConfigError(
            f"--host {config.host}: without keys, anybody who reaches this machine could read the catalog; make a key "
            "with `audioae serve-key NAME` and pass --keys-file, or leave --host out to serve this machine only"
        )
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"{config.host}:{config.port}: cannot be bound ({error.strerror}); end what uses it, or choose another "
            "port with --port"
        ) from None
    return listener


def log_as_json() -> None:
    """Write what the service logs to stderr, one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("audioae.serve").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # its warnings are about requests that are no HTTP


class JsonFormatter(logging.Formatter):
    """A record as one line of ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line)


def _ready_line(config: ServeConfig, listener: socket.socket, n_keys: int, ready: dict[str, Any]) -> str:
    host, port = listener.getsockname()[:2]
    if n_keys:
        access = f"{n_keys} {'key' if n_keys == 1 else 'keys'}"
    else:
        access = "without keys: readable by anybody on this machine"
    return (
        f"http://{f'[{host}]' if ':' in host else host}:{port}  {ready['index']}, {ready['n']:,} tracks; "
        f"{config.workers} {'worker' if config.workers == 1 else 'workers'}; {access}; API at /docs"
    )


@contextlib.contextmanager
def _metrics_folder(workers: int) -> Iterator[str | None]:
    """A private folder in which several workers add up their metrics; it is gone afterwards."""
    if workers == 1:
        os.environ.pop(_METRICS_FOLDER, None)
        yield None
        return
    folder = os.environ[_METRICS_FOLDER] = tempfile.mkdtemp(prefix="audioae-metrics-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forget(folder: str | None, pid: int) -> None:
    """What a worker that has ended still counts for: its requests, but not its queue."""
    if folder is not None:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid, folder)
