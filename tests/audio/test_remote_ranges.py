"""Ranges of remote files: of a real S3 server, and of a web server with and without ranges."""

import functools
import http.server
import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from audioae.audio import remote
from audioae.audio.remote_ranges import BUFFER, RangeFile

CONTENT = bytes(range(256)) * 2000


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves one file, in ranges where asked."""

    ranges: list[str] = []  # noqa: RUF012 - shared by all requests on purpose

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.ranges.append(asked)
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked)
        first, last = (int(match[1]), int(match[2])) if match else (0, len(CONTENT) - 1)
        self.send_response(206 if match else 200)
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(CONTENT[first : last + 1])

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    remote.forget_filesystems()
    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket="ranges")
    client.put_object(Bucket="ranges", Key="a.mp3", Body=CONTENT)
    yield "s3://ranges/a.mp3"
    remote.forget_filesystems()


@pytest.fixture
def serve() -> Iterator:
    servers = []

    def start(handler) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/a.mp3"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def check(uri: str) -> None:
    with io.BufferedReader(RangeFile(uri), BUFFER) as file:
        assert file.read(10) == CONTENT[:10]
        assert file.seek(-7, io.SEEK_END) == len(CONTENT) - 7
        assert file.read() == CONTENT[-7:]
        assert file.read(1) == b""
        file.seek(1000)
        assert file.read(300_000) == CONTENT[1000:301_000]


def test_ranges_of_an_object(bucket: str):
    check(bucket)


def test_ranges_of_a_web_server_are_only_those_that_are_read(serve):
    Ranges.ranges.clear()
    uri = serve(Ranges)
    with io.BufferedReader(RangeFile(uri), BUFFER) as file:
        file.read(10)
        file.read(10)
    assert Ranges.ranges == [f"bytes=0-{BUFFER - 1}"]
    check(uri)


def test_a_web_server_without_ranges_is_refused(serve, tmp_path: Path):
    (tmp_path / "a.mp3").write_bytes(CONTENT)
    uri = serve(functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path)))
    with io.BufferedReader(RangeFile(uri), BUFFER) as file, pytest.raises(OSError, match="with the whole file"):
        file.read(10)


def test_a_missing_file_is_an_os_error(bucket: str, serve):
    for uri in (bucket.replace("a.mp3", "b.mp3"), "s3://no-such-bucket-there/a.mp3", "http://127.0.0.1:9/a.mp3"):
        with pytest.raises(OSError):
            RangeFile(uri)
