"""Thousands of broken requests: each is answered by 2xx or 4xx, or ends its own connection, and the server lives on.

Convention: every mutation is drawn from a fixed seed, so that a failure can be had again by its number.
"""

import json
import random
import socket
from contextlib import closing

import httpx
import pytest

from tests.serve.serving import Server

BOUNDARY = b"b0undary"
FORM = (
    b"--b0undary\r\n"
    b'Content-Disposition: form-data; name="file"; filename="a.mp3"\r\n'
    b"Content-Type: audio/mpeg\r\n\r\n"
    b"\xff\xfb\x90d no audio\r\n"
    b"--b0undary\r\n"
    b'Content-Disposition: form-data; name="options"\r\n\r\n'
    b'{"k": 3}\r\n'
    b"--b0undary--\r\n"
)
TOKENS = (
    *(b"\r\n", b"\n", b"\r", b"\x00", b"\xff", b";", b'"', b"--", b"\\", b"=", b"%", b"\xe2\x80\xae", b"{", b"["),
    *(b"--b0undary", b"--b0undary--", b'filename="', b"filename*=utf-8''%ff", b'name=""', b"charset=base64"),
    *(b"Content-Disposition: x\r\n", b"Content-Transfer-Encoding: base64\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"A" * 5_000, b"9" * 400, b"NaN", b"\x1b[2J", b"\xf0\x9f\x8e\xb5"),
)
BODY = json.dumps(
    {"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"label": "style 0", "year": {"gte": 1990}}}
).encode()
TYPES = (
    *(b"multipart/form-data; boundary=b0undary", b"multipart/form-data", b"multipart/form-data; boundary="),
    *(b"multipart/form-data; boundary=b0undary; charset=base64", b"multipart/form-data; boundary=" + b"b" * 300),
    *(
        b'multipart/form-data; boundary="b0undary',
        b"multipart/form-data; boundary=b\xff",
        b"multipart/mixed; boundary=b",
    ),
    *(b"audio/mpeg", b"audio/\xff", b"application/json", b"application/x-www-form-urlencoded", b"", b"/"),
)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to five faults: bytes that are flipped, cut, repeated or put in."""
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(data) + 1)
        to = min(at + rng.randint(1, 20), len(data))
        data = rng.choice(
            (
                data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
                data[:at] + rng.choice(TOKENS) + data[at:],
                data[:at] + data[to:],
                data[:at] + data[at:to] * rng.randint(2, 50) + data[to:],
                data[:at],
            )
        )
    return data


def check(answer: httpx.Response, number: int) -> None:
    assert answer.status_code < 500, (number, answer.status_code, answer.text)
    if answer.status_code >= 400 and answer.request.url.path.startswith("/v1"):
        assert answer.headers["Content-Type"] == "application/problem+json", (number, answer.text)
        assert answer.json()["status"] == answer.status_code


def test_forms(embedding: Server):
    """What is right about the form ends at the file, which is no audio."""
    statuses: dict[int, int] = {}
    with embedding.client() as client:
        for number in range(800):
            rng = random.Random(number)
            path = rng.choice(("/v1/embed", "/v1/similar:file"))
            kind = TYPES[0] if rng.random() < 0.8 else rng.choice(TYPES)
            answer = client.post(path, content=mutated(FORM, rng), headers={b"Content-Type": kind})
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            check(answer, number)
    assert {400, 422} <= statuses.keys()


def test_json(served: Server):
    statuses: dict[int, int] = {}
    with served.client() as client:
        for number in range(2_000):
            rng = random.Random(number)
            headers = {b"Content-Type": b"application/json" if rng.random() < 0.8 else rng.choice(TYPES)}
            answer = client.post("/v1/similar", content=mutated(BODY, rng), headers=headers)
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            check(answer, number)
    assert {200, 400, 422} <= statuses.keys()


HEAD = (
    b"POST /v1/similar?x=1&y=%%ff HTTP/1.1\r\n"
    b"Host: localhost\r\n"
    b"Content-Type: application/json\r\n"
    b"X-Request-ID: an-id\r\n"
    b"X-API-Key: a key\r\n"
    b"Authorization: Bearer a key\r\n"
    b"Accept: application/json\r\n"
    b"Cookie: a=b\r\n"
    b"Connection: close\r\n"
    b"Content-Length: %d\r\n\r\n"
) % len(BODY)


@pytest.mark.parametrize("kind", ["served", "locked"])
def test_raw_requests(request: pytest.FixtureRequest, kind: str, caplog: pytest.LogCaptureFixture):
    """Mutated heads on a connection of their own: whatever comes back is no 5xx, and nothing is logged as a bug."""
    server: Server = request.getfixturevalue(kind)
    port = int(server.url.rpartition(":")[2])
    statuses: dict[bytes, int] = {}
    for number in range(600):
        rng = random.Random(number)
        with closing(socket.create_connection(("127.0.0.1", port), 0.5)) as connection:
            status = exchange(connection, mutated(HEAD, rng) + BODY + b"\r\n\r\n" * 500)
        statuses[status] = statuses.get(status, 0) + 1
        assert status[:1] in (b"", b"2", b"4"), (number, status)
    assert statuses.get(b"400", 0) > 50
    assert statuses.get(b"200" if kind == "served" else b"401", 0) > 50
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
    assert httpx.get(f"{server.url}/livez").status_code == 200


def exchange(connection: socket.socket, message: bytes) -> bytes:
    """The status of the first answer; empty if the connection ends, or nothing comes because a body is awaited."""
    try:
        connection.sendall(message)
        return connection.recv(1 << 16).partition(b"\r\n")[0].split(b" ")[1]
    except (OSError, IndexError):
        return b""
