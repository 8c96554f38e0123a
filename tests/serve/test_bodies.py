"""Bodies are counted and timed while they arrive: 413 at the limit, 408 for those that stop, and flat memory."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request

from audioae.serve.bodies import Bodies
from audioae.serve.config import Limits
from audioae.serve.problems import add_handlers

LIMITS = Limits(body_bytes=10_000, upload_bytes=1_000_000, body_s=1.0, upload_s=1.5, idle_s=0.5)
BLOCK = 65_536


@pytest.fixture(scope="module")
def reads() -> list[bytes]:
    """What the application has read, one entry a request."""
    return []


@pytest.fixture(scope="module")
def port(reads: list[bytes]) -> Iterator[int]:
    """A server whose application reads bodies in three ways."""
    app = FastAPI()
    add_handlers(app)

    @app.post("/json")
    async def parsed(body: dict) -> dict:
        reads.append(json.dumps(body).encode())
        return {"keys": len(body)}

    @app.post("/v1/embed")
    async def streamed(request: Request) -> dict:
        n = 0
        async for block in request.stream():
            n += len(block)
        reads.append(b"")
        return {"bytes": n}

    @app.post("/unread")
    async def unread() -> dict:
        return {}

    app.add_middleware(Bodies, limits=LIMITS)
    config = uvicorn.Config(app, "127.0.0.1", 0, loop="uvloop", http="httptools", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def raw(port: int, *parts: bytes | float, wait_s: float = 10.0) -> tuple[bytes, float]:
    """Send parts, with pauses where a part is a number; the answer until the server closes, and its delay in s."""
    with closing(socket.create_connection(("127.0.0.1", port), wait_s)) as connection:
        started = time.monotonic()
        try:
            for part in parts:
                if isinstance(part, bytes):
                    connection.sendall(part)
                else:
                    time.sleep(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer, first = b"", 0.0
        while block := connection.recv(BLOCK):
            first = first or time.monotonic() - started
            answer += block
        return answer, first


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join(
        [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines, "", ""]
    ).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def problem_of(answer: bytes) -> dict:
    top, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in top.lower()
    assert b"connection: close" in top.lower()
    return json.loads(body)


@pytest.mark.parametrize(("path", "most"), [("/json", 10_000), ("/v1/embed", 1_000_000), ("/nowhere", 10_000)])
def test_a_length_above_the_limit_is_refused_before_a_byte_is_sent(port, reads, path, most):
    before = len(reads)
    answer, first = raw(port, head(path, f"Content-Length: {most + 1}"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    problem = problem_of(answer)
    assert (problem["status"], problem["type"]) == (413, "urn:audioae:request-too-large")
    assert problem["detail"] == f"the body is larger than {most:,} bytes"
    assert first < 0.5
    assert len(reads) == before


@pytest.mark.parametrize("line", ["Content-Length: 10000", "Transfer-Encoding: chunked"])
def test_a_body_at_the_limit_is_read(port, line):
    body = json.dumps({"a": "x" * (10_000 - len('{"a": ""}'))}).encode()
    assert len(body) == 10_000
    content = body if line.startswith("Content") else (body[i : i + 999] for i in range(0, len(body), 999))
    answer = httpx.post(f"http://127.0.0.1:{port}/json", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {"keys": 1})


@pytest.mark.parametrize(("path", "most"), [("/json", 10_000), ("/v1/embed", 1_000_000)])
def test_a_chunked_body_is_refused_at_the_limit(port, reads, path, most):
    before = len(reads)
    answer, _ = raw(port, head(path, "Transfer-Encoding: chunked"), *[chunk(b" " * 5_000)] * (most // 5_000 + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert problem_of(answer)["status"] == 413
    assert len(reads) == before


def test_a_client_that_sends_all_of_it_first_still_gets_the_answer(port):
    """As most clients do: they write the body, then read."""
    blocks = (b"x" * BLOCK for _ in range(1_600))  # 105 MB
    answer = httpx.post(f"http://127.0.0.1:{port}/json", content=blocks, timeout=30)
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_no_continue_is_sent_for_a_body_that_is_too_large(port):
    answer, _ = raw(port, head("/json", "Content-Length: 99999999", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


@pytest.mark.parametrize("path", ["/json", "/v1/embed"])
def test_a_body_that_stops_is_given_up(port, reads, path):
    before = len(reads)
    answer, first = raw(port, head(path, "Content-Length: 100"), b'{"a":')
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert problem_of(answer)["detail"] == "the body stopped after 5 bytes"
    assert 0.4 < first < 5
    assert len(reads) == before


def test_a_body_that_drips_is_given_up_too(port):
    """Each byte comes in time, all of them do not."""
    drips = [part for _ in range(12) for part in (b" ", 0.2)]
    answer, _ = raw(port, head("/json", "Content-Length: 100"), *drips)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_leaves_in_the_middle_is_no_error_of_the_server(port, reads, caplog):
    before = len(reads)
    for path in ("/json", "/v1/embed"):
        with closing(socket.create_connection(("127.0.0.1", port))) as connection:
            connection.sendall(head(path, "Content-Length: 100") + b'{"a":')
            time.sleep(0.1)
    time.sleep(0.3)
    assert len(reads) == before
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_endpoint_that_does_not_read_its_body_answers(port):
    answer = httpx.post(f"http://127.0.0.1:{port}/unread", content=b"x" * 100)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "broken", ["Content-Length: ten", "Content-Length: -1", "Transfer-Encoding: chunked\r\nContent-Length: 3"]
)
def test_lengths_that_are_none_are_refused(port, broken):
    answer, _ = raw(port, head("/json", broken) + b"zz\r\n{}")  # in one: bytes after the answer would reset it
    assert answer.split(b" ")[1] in (b"400", b"408", b"422"), answer


def test_an_exception_of_the_application_stays_one():
    async def fails(scope, receive, send):
        await receive()
        raise KeyError("a bug")

    async def receive():
        return {"type": "http.request", "body": b"{}"}

    async def send(message):
        raise AssertionError(message)

    scope = {"type": "http", "path": "/json", "headers": [(b"content-length", b"2")]}
    with pytest.raises(KeyError, match="a bug"):
        asyncio.run(Bodies(fails, LIMITS)(scope, receive, send))


def test_what_is_not_http_passes():
    seen: list[Callable] = []

    async def app(scope, receive, send):
        seen.append(receive)

    asyncio.run(Bodies(app, LIMITS)({"type": "lifespan"}, len, print))  # type: ignore
    assert seen == [len]
