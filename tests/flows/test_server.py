"""A Prefect server that is named but does not answer: one sentence, soon."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from audioae.errors import ConfigError
from audioae.flows import server


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The address of a server that gives every request this answer; none: it is silent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    connection.recv(4096)
                    if answer:
                        connection.sendall(answer)
                        connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/api"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(b"", "ReadTimeout"), (b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n", "503")],
    ids=["silent", "out of service"],
)
def test_a_named_server_is_asked_once(monkeypatch: pytest.MonkeyPatch, answer: bytes, problem: str):
    monkeypatch.setattr(server, "_ANSWER_S", 0.5)
    start = time.monotonic()
    with answering(answer) as url, temporary_settings({PREFECT_API_URL: url}):
        with pytest.raises(ConfigError, match=f"no Prefect server answers at {url} .*{problem}"):
            server.prefect_server(1.0).__enter__()
        assert time.monotonic() - start < 10
