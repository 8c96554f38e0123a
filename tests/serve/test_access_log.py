"""The access log: one line a request, whatever a client sends; IDs; errors that are told to the log alone."""

import json
import os
import socket
import threading
import time

import pytest

from audioae.serve.access_log import AccessLog, id_of
from audioae.serve.app import create_app
from tests.serve.conftest import KEYS, READ_KEY
from tests.serve.serving import in_thread


class Collected:
    """In place of `AccessLog`: keeps the lines, encoded as that would write them."""

    def __init__(self):
        self.lines: list[dict] = []

    def add(self, line):
        from audioae.serve.access_log import _encode

        encoded = _encode(dict(line))
        assert encoded.isascii()
        assert encoded.endswith(b"\n")
        assert not [byte for byte in encoded[:-1] if byte < 0x20 or byte == 0x7F]
        self.lines.append(json.loads(encoded))


@pytest.fixture(scope="module")
def logged(served):
    """A server with keys whose log is kept: (server, lines)."""
    log = Collected()
    with in_thread(served.store, keys=KEYS, access_log_to=log) as server:
        yield server, log.lines


def last(lines, n):
    deadline = time.monotonic() + 10
    while len(lines) < n:
        assert time.monotonic() < deadline, lines
        time.sleep(0.01)
    return lines[-1]


def test_a_line_says_who_asked_what_and_how_it_ended(logged):
    server, lines = logged
    n = len(lines)
    with server.client(READ_KEY) as client:
        answer = client.post("/v1/similar", json={"seeds": [{"track_id": "t07"}]})
    line = last(lines, n + 1)
    assert line.pop("ms") > 0
    assert line.pop("time").endswith("Z")
    assert line == {
        "request_id": answer.headers["x-request-id"],
        "method": "POST",
        "route": "/v1/similar",
        "path": "/v1/similar",
        "status": 200,
        "bytes": len(answer.content),
        "client": "127.0.0.1",
        "key": "reader",
        "index": answer.json()["index"],
    }


def test_what_a_client_sends_is_one_line_without_control_characters(logged):
    server, lines = logged
    n = len(lines)
    host, port = server.url.removeprefix("http://").split(":")
    paths = [
        b"/a%0ab%1b[31m",
        b"/" + b"x" * 5000,
        "/bücher".encode(),
        b"/v1/index?key=secret",
        b'/"quoted"\\',
        b"/\x9b2J",
    ]
    for path in paths:
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while client.recv(65536):
                pass
    time.sleep(0.1)
    assert len(lines) > n + 2, "those that are HTTP are logged"
    for line in lines[n:]:
        assert line["status"] in (401, 404)
        assert len(line["path"]) <= 1000 * 4
        assert "secret" not in json.dumps(line)
        assert (line["key"], line["index"]) == (None, None)


@pytest.mark.parametrize("sent", [b"a b", b"x" * 129, b"", b"a\x1b[31m", b"<script>", "ü".encode()])
def test_an_id_that_is_not_sane_is_replaced(sent):
    made = id_of({"headers": [(b"x-request-id", sent)]})
    assert len(made) == 16
    assert int(made, 16) >= 0
    assert id_of({"headers": [(b"x-request-id", b"A-1.b_2")]}) == "A-1.b_2"


def test_a_bug_is_an_answer_with_an_id_and_a_traceback_in_the_log_only(served, caplog):
    app = create_app(served.service)

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("a secret detail")

    sent = []

    async def main():
        scope = {"type": "http", "method": "GET", "path": "/bug", "raw_path": b"/bug", "query_string": b""}
        scope |= {
            "headers": [(b"x-request-id", b"mine")],
            "client": ("10.0.0.1", 1),
            "server": ("x", 80),
            "scheme": "http",
        }

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)

    import asyncio

    asyncio.run(main())
    start, body = sent
    assert start["status"] == 500
    assert dict(start["headers"])[b"x-request-id"] == b"mine"
    assert json.loads(body["body"])["request_id"] == "mine"
    assert b"secret" not in body["body"]
    assert "request mine failed" in caplog.text
    assert "RuntimeError: a secret detail" in caplog.text


def test_lines_are_written_soon_whole_and_before_the_end():
    reader, writer = os.pipe()
    log = AccessLog(writer)
    for i in range(500):
        log.add({"time": 1e9, "i": i, "path": b"/p"})
    log.close()
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        lines = [json.loads(line) for line in stream]
    assert [line["i"] for line in lines] == list(range(500))
    assert lines[0] == {"time": "2001-09-09T01:46:40.000Z", "i": 0, "path": "/p"}


def test_a_reader_that_has_stopped_blocks_nobody_and_is_told_what_it_missed(monkeypatch):
    monkeypatch.setattr("audioae.serve.access_log._MOST_LINES", 1000)
    reader, writer = os.pipe()
    log = AccessLog(writer)
    start = time.monotonic()
    for i in range(20_000):
        log.add({"time": 1e9, "i": i, "path": b"/" + b"x" * 500})
        if i % 1000 == 0:
            time.sleep(0.06)
    assert time.monotonic() - start < 5
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.extend(os.fdopen(reader, "rb")))
    thread.start()
    log.close(10)
    os.close(writer)
    thread.join(10)
    lines = [json.loads(line) for line in read]
    assert sum(line.get("dropped_lines", 0) for line in lines) + sum("i" in line for line in lines) == 20_000
    assert sum(line.get("dropped_lines", 0) for line in lines) > 10_000
