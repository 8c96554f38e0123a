"""The load of the benchmark of the service: what wrk sends, and how its report is read."""

import http.server
import shutil
import threading
from collections.abc import Iterator

import pytest

from tests.bench.wrk import Load, Wrk

BODIES = ['{"k": 1}', '{"k": "ü \\"2\\""}']


@pytest.fixture
def server() -> Iterator[tuple[str, list]]:
    """A server that notes what it gets, and answers every tenth request with 503."""
    seen: list[tuple[str, str, str | None, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            seen.append((self.command, self.path, self.headers["X-API-Key"], body))
            self.send_response(503 if len(seen) % 10 == 0 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", seen
    running.shutdown()


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_every_request_is_sent_as_given_and_bad_answers_are_counted(server):
    url, seen = server
    load = Wrk(url, "/v1/similar", BODIES, {"X-API-Key": "secret"}).run(1, 2)
    assert load.n <= len(seen)
    assert {request[:3] for request in seen} == {("POST", "/v1/similar", "secret")}
    assert {request[3] for request in seen} == set(BODIES)
    assert abs(load.bad - load.n / 10) <= 2
    assert 0 < load.p50_ms <= load.p99_ms <= load.max_ms


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_a_rate_is_kept(server):
    url, seen = server
    load = Wrk(url, "/livez").run(3, 4, rate=40)
    assert 25 <= load.per_second <= 60
    assert set(seen) == {("GET", "/livez", None, "")}


def test_a_rate_is_requests_per_second():
    assert Load(n=10, seconds=4, bad=0, broken=0, p50_ms=1, p99_ms=1, max_ms=1).per_second == 2.5
