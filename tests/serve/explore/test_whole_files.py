"""Whole files: every byte of them, of a disk or of a bucket, and only where the server allows it."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from audioae.audio.config import ClipConfig
from audioae.audio.listening import cut_audio
from audioae.audio.remote import forget_filesystems
from audioae.audio.workers import close_workers
from audioae.store.storage import Storage
from tests.audio import made
from tests.serve.serving import Server
from tests.stores import made_store

CONTENT = bytes(range(256)) * 4096  # four blocks


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    names = ["whole.mp3", "sön g;'\".flac", "page.html", "gone.mp3", "fifo.mp3", "empty.wav"]
    for name in names[:3]:
        (tmp_path / name).write_bytes(CONTENT)
    os.mkfifo(tmp_path / "fifo.mp3")
    (tmp_path / "empty.wav").touch()
    return [tmp_path / name for name in names]


@pytest.fixture
def server(serve, tmp_path, files) -> Server:
    store = made_store(tmp_path / "store", len(files), columns={"uri": [str(path) for path in files]})
    return serve(store, audio="files")


def get(server: Server, track_id: str, method: str = "GET", **headers: str) -> httpx.Response:
    with server.client() as client:
        names = {name.replace("_", "-"): text for name, text in headers.items()}
        return client.request(method, f"/v1/tracks/{track_id}/audio", headers=names)


def test_a_file_is_answered_byte_by_byte(server):
    whole = get(server, "t00")
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["Content-Type"] == "audio/mpeg"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    size = len(CONTENT)
    parts = {"5-": slice(5, None), "300000-600000": slice(300_000, 600_001), "-9": slice(-9, None)}
    for header, part in parts.items():
        answer = get(server, "t00", Range=f"bytes={header}")
        assert (answer.status_code, answer.content) == (206, CONTENT[part]), header
        assert answer.headers["Content-Length"] == str(len(CONTENT[part]))
    assert get(server, "t00", Range=f"bytes={size}-").status_code == 416
    assert get(server, "t00", If_None_Match=whole.headers["ETag"]).status_code == 304
    head = get(server, "t00", "HEAD")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(size))


def test_a_file_that_changed_is_another(server, files):
    before = get(server, "t00").headers["ETag"]
    files[0].write_bytes(b"new" * 10)
    after = get(server, "t00", If_None_Match=before, If_Range=before, Range="bytes=0-2")
    assert (after.status_code, after.content) == (200, b"new" * 10)


def test_names_and_types_cannot_mislead_a_browser(server):
    strange = get(server, "t01").headers
    assert strange["Content-Disposition"] == "inline; filename*=UTF-8''s%C3%B6n%20g%3B%27%22.flac"
    assert strange["Content-Type"] == "audio/flac"
    assert get(server, "t02").headers["Content-Type"] == "application/octet-stream"


def test_what_is_no_file_is_a_problem(server):
    for track_id, words in (("t03", "No such file"), ("t04", "fifo")):
        answer = get(server, track_id)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:audioae:audio-unreadable"), answer.text
        assert words in answer.json()["detail"]
    empty = get(server, "t05")
    assert (empty.status_code, empty.content) == (200, b"")
    assert get(server, "t99").json()["type"] == "urn:audioae:unknown-track"


@pytest.mark.parametrize("audio", ["none", "clips"])
def test_a_server_gives_no_files_unless_it_is_told_to(serve, server, audio):
    answer = get(serve(server.store, audio=audio), "t00")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:audioae:no-audio")


@pytest.fixture
def bucket(s3_root, s3_server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """A bucket that audio files are read from, too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    forget_filesystems()
    close_workers()  # they have the environment of their start
    yield Storage(s3_root)
    forget_filesystems()
    close_workers()


def test_a_file_of_a_bucket_is_passed_on_by_ranges(serve, tmp_path, bucket):
    bucket.write("a.ogg", CONTENT)
    uri = bucket.locate("a.ogg")
    store = made_store(tmp_path / "store", 2, columns={"uri": [uri, uri + ".gone"]})
    server = serve(store, audio="files")
    whole = get(server, "t00")
    assert (whole.status_code, whole.content == CONTENT) == (200, True), whole.text[:500]
    assert whole.headers["Content-Type"] == "audio/ogg"
    assert get(server, "t00", Range="bytes=300000-300009").content == CONTENT[300_000:300_010]
    assert "Last-Modified" not in whole.headers
    assert get(server, "t01").json()["type"] == "urn:audioae:audio-unreadable"


def test_a_clip_of_a_bucket_is_cut(serve, tmp_path, bucket, monkeypatch):
    monkeypatch.setenv("AUDIOAE_CACHE", str(tmp_path / "cache"))
    path = made.write(tmp_path / "a.mp3", made.music(6.0))
    bucket.write("a.mp3", path.read_bytes())
    store = made_store(tmp_path / "store", 1, columns={"uri": [bucket.locate("a.mp3")], "content_hash": ["s3"]})
    with serve(store).client() as client:
        answer = client.get("/v1/tracks/t00/clip", params={"start": 1, "seconds": 2})
    assert answer.status_code == 200, answer.text
    assert answer.content == cut_audio(path, 1.0, 2.0, ClipConfig()).content
