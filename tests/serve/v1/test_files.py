"""Uploaded files: over HTTP they get the library's answers, leave nothing behind, and cost no more than allowed."""

import hashlib
import json
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest

from audioae.audio import worker_pool
from audioae.library.filters import Filters
from audioae.serve.v1 import files
from audioae.similarity.search import Options
from audioae.similarity.seeds import FileSeed
from tests.audio.made import music, write
from tests.serve.conftest import READ_KEY
from tests.serve.serving import Server
from tests.stores import made_store, random_weights


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("song") / "song.mp3", music(9.0))


@pytest.fixture(autouse=True)
def leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    deadline = time.monotonic() + 10
    while list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)  # of a client that has left, the server learns a moment later
    assert list(folder.iterdir()) == []


def post(server: Server, path: str, **request) -> httpx.Response:
    with server.client() as client:
        return client.post(path, **request)


def upload(server: Server, path: str, content: bytes, name: str = "song.mp3", **options) -> httpx.Response:
    data = {"options": json.dumps(options)} if options else None
    return post(server, path, files={"file": (name, content, "audio/mpeg")}, data=data)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"k": 10}),
        ({"k": 3}, {"k": 3}),
        ({"k": 4, "filters": {"label": "style 1"}}, {"k": 4, "options": Options(Filters(label=("style 1",)))}),
        ({"k": 4, "minus": [{"track_id": "t07"}]}, {"k": 4, "minus": "t07"}),
        ({"k": 5, "diversity": 0.5, "max_per_artist": 1}, {"k": 5, "options": Options(Filters(), 0.5, 1)}),
    ],
    ids=["none", "k", "filters", "minus", "diversity"],
)
def test_similar_to_a_file_is_the_librarys_answer(embedding: Server, song: Path, options, expected):
    answer = upload(embedding, "/v1/similar:file", song.read_bytes(), **options)
    assert answer.status_code == 200, answer.text
    library = embedding.library.similar(FileSeed(song), **expected)
    found = [(neighbor["track_id"], neighbor["rank"]) for neighbor in answer.json()["neighbors"]]
    assert found == [(neighbor.track_id, neighbor.rank) for neighbor in library.neighbors]
    scores = [neighbor["score"] for neighbor in answer.json()["neighbors"]]
    assert scores == pytest.approx([neighbor.score for neighbor in library.neighbors], abs=1e-5)
    assert answer.json()["n_matching"] == library.n_matching
    assert answer.json()["file"] == {"name": "song.mp3", "track_id": None}
    assert answer.json()["index"] == str(embedding.library.index_ref)


def test_an_embedding_is_the_librarys(embedding: Server, song: Path):
    answer = upload(embedding, "/v1/embed", song.read_bytes()).json()
    embedded = embedding.library.embed(song)
    assert np.allclose(answer["embedding"], embedded.embedding, atol=1e-6)
    assert (answer["n_clips"], answer["duration_s"]) == (embedded.n_clips, embedded.duration_s)
    assert answer["padded"] is False
    assert answer["health"] == json.loads(json.dumps(embedded.health))
    assert answer["model"] == str(embedding.library.model_ref)
    seeds = [{"embedding": answer["embedding"]}]
    again = post(embedding, "/v1/similar", json={"seeds": seeds, "k": 3}).json()["neighbors"]
    whole = upload(embedding, "/v1/similar:file", song.read_bytes(), k=3).json()["neighbors"]
    assert [n["track_id"] for n in again] == [n["track_id"] for n in whole]


@pytest.mark.parametrize("media", ["audio/mpeg", "audio/x-anything", "video/mp4", "application/octet-stream"])
def test_the_file_may_be_the_whole_body(embedding: Server, song: Path, media: str):
    request = {"content": song.read_bytes(), "headers": {"Content-Type": media}}
    answer = post(embedding, "/v1/similar:file", params={"options": '{"k": 2}'}, **request)
    assert answer.json()["file"] == {"name": "upload", "track_id": None}
    assert (
        answer.json()["neighbors"] == upload(embedding, "/v1/similar:file", song.read_bytes(), k=2).json()["neighbors"]
    )


def test_a_file_that_is_a_track_byte_for_byte_is_that_track(serve: Callable[..., Server], song: Path, tmp_path: Path):
    digest = hashlib.blake2b(song.read_bytes(), digest_size=16).hexdigest()
    hashes = [digest if i == 4 else f"{i:032x}" for i in range(20)]
    store = made_store(tmp_path / "store", 20, copies={9: 4}, columns={"content_hash": hashes})
    server = serve(store)  # its model cannot be loaded: nothing is decoded
    answer = upload(server, "/v1/similar:file", song.read_bytes(), name="other.wav", k=20)
    assert answer.status_code == 200, answer.text
    assert answer.json()["file"] == {"name": "other.wav", "track_id": "t04"}
    ids = [neighbor["track_id"] for neighbor in answer.json()["neighbors"]]
    assert ids == [neighbor.track_id for neighbor in server.library.similar("t04", 20).neighbors]
    assert {"t04", "t09"}.isdisjoint(ids)


def test_filters_that_nothing_passes_are_an_empty_answer(embedding: Server, song: Path):
    answer = upload(embedding, "/v1/similar:file", song.read_bytes(), filters={"year": {"gte": 3000}}).json()
    assert (answer["neighbors"], answer["n_matching"]) == ([], 0)
    assert answer["short"]


@pytest.mark.parametrize(
    ("name", "shown", "suffix"),
    [
        ("../../../etc/passwd", "passwd", ""),
        ("/etc/cron.d/x.MP3", "x.MP3", ".mp3"),
        ("C:\\Windows\\a.flac", "a.flac", ".flac"),
        ("a.php", "a.php", ""),
        ("\x1b[2J\u202e.mp3", r"\x1b[2J\u202e.mp3", ".mp3"),
        ("x" * 5_000, "x" * 199 + "…", ""),
    ],
)
def test_the_clients_name_is_shown_and_names_no_file(embedding, song, monkeypatch, name, shown, suffix):
    paths: list[Path] = []
    embed = embedding.service.generations.current.library.embed

    def spy(path: Path, **options):
        paths.append(path)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        return embed(path, **options)

    monkeypatch.setattr(type(embedding.library), "embed", lambda self, path, **options: spy(path, **options))
    answer = upload(embedding, "/v1/embed", song.read_bytes(), name=name)
    if answer.status_code == 400:  # a header of more than 4 KiB
        assert len(name) > 4_000
        return
    assert answer.json()["file"]["name"] == shown
    assert [path.name for path in paths] == [f"upload{suffix}"]


@pytest.mark.parametrize(
    ("content", "kind", "detail"),
    [
        (b"no audio at all", "audio-not_audio", "not_audio: a.mp3: "),
        (b"", "audio-empty", "empty: a.mp3: 0 bytes"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio-truncated", "truncated: a.mp3: "),
    ],
)
def test_a_file_that_cannot_be_used_is_a_problem_with_its_reason(embedding: Server, content, kind, detail):
    for path in ("/v1/embed", "/v1/similar:file"):
        answer = upload(embedding, path, content, name="a.mp3")
        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:audioae:{kind}"
        assert answer.json()["detail"].startswith(detail)
        assert "upload" not in answer.json()["detail"]  # no path of the server


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        ({"audio_s": 5.0}, "audio-too_large"),
        ({"sample_rate": 8_000}, "audio-too_large"),
        ({"channels": 1}, "audio-too_large"),
        ({"decode_s": 0.001}, "audio-timeout"),
    ],
)
def test_the_limits_of_the_server_hold(serve, tmp_path, song, limits, kind):
    server = serve(made_store(tmp_path / "store", model=random_weights()), limits=limits)
    answer = upload(server, "/v1/embed", song.read_bytes())
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:audioae:{kind}"), answer.text


def test_what_is_no_upload_is_refused(embedding: Server, song: Path):
    content = song.read_bytes()
    two = [("file", ("a.mp3", content)), ("file", ("b.mp3", content))]
    cases = [
        (422, "other", {"files": {"other": ("a.mp3", content)}}),
        (422, "file", {"files": {"options": (None, "{}")}}),
        (422, "path", {"files": {"file": ("a.mp3", content), "path": (None, "/etc/passwd")}}),
        (422, "file", {"files": {"file": (None, "text"), "options": ("a", b"{}")}}),
        (400, None, {"files": two}),
        (400, None, {"files": {"file": ("a.mp3", content), **{str(i): (None, "x") for i in range(9)}}}),
        (400, None, {"files": {"file": ("a.mp3", content, "audio/x", {"X-Long": "x" * 9_000})}}),
        (400, None, {"content": b"--a", "headers": {"Content-Type": "multipart/form-data"}}),
        (400, None, {"content": b"--b", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}),
        (415, None, {"content": content}),
        (415, None, {"json": {"file": "a.mp3"}}),
        (415, None, {"data": {"file": "a.mp3"}}),
    ]
    for status, where, request in cases:
        answer = post(embedding, "/v1/similar:file", **request)
        assert (answer.status_code, answer.json()["where"]) == (status, where), (request, answer.text)
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("options", "status", "where"),
    [
        ('{"k": 0}', 422, "options.k"),
        ('{"path": "/etc/passwd"}', 422, "options.path"),
        ('{"seeds": [{"track_id": "t01"}]}', 422, "options.seeds"),
        ('{"minus": [{"track_id": "no such"}]}', 404, None),
        ('{"k": ', 400, "options"),
        ("[]", 422, "options"),
        ("null", 422, "options"),
        ("x" * 9_000_000, 400, None),
    ],
    ids=["k", "path", "seeds", "minus", "cut", "list", "null", "9 MB"],
)
def test_options_are_checked(embedding: Server, song: Path, options: str, status: int, where: str | None):
    request = {"files": {"file": ("a.mp3", song.read_bytes())}, "data": {"options": options}}
    answer = post(embedding, "/v1/similar:file", **request)
    assert (answer.status_code, answer.json()["where"]) == (status, where), answer.text


def test_without_the_extra_the_answer_names_it_before_the_file_is_sent(embedding: Server, monkeypatch):
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with closing(socket.create_connection(("127.0.0.1", int(embedding.url.rpartition(":")[2])), 10)) as connection:
        head = "POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/mpeg\r\nContent-Length: 9999\r\n\r\n"
        connection.sendall(head.encode())
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert b"pip install 'audioae[pipeline]'" in answer


def test_one_upload_too_many_is_refused_before_its_body_is_read(serve, tmp_path, song):
    server = serve(made_store(tmp_path / "store", model=random_weights()), limits={"uploads": 1})
    port = int(server.url.rpartition(":")[2])
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as slow:
        head = "POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/mpeg\r\nContent-Length: 100\r\n\r\n"
        slow.sendall(head.encode() + b"x")
        time.sleep(0.3)
        answer = upload(server, "/v1/embed", song.read_bytes())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["type"] == "urn:audioae:queue-full"
        assert httpx.get(f"{server.url}/livez").status_code == 200
    time.sleep(0.3)
    assert upload(server, "/v1/embed", song.read_bytes()).status_code == 200


def test_a_server_with_keys_reads_no_file_of_a_stranger(locked: Server, song: Path):
    assert upload(locked, "/v1/embed", song.read_bytes()).status_code == 401
    with locked.client(READ_KEY) as client:
        assert client.post("/v1/embed", json={}).status_code == 415


def test_a_model_that_cannot_be_loaded_is_no_fault_of_the_client(served: Server, song: Path):
    answer = upload(served, "/v1/embed", song.read_bytes())
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:audioae:model"), answer.text


def test_a_decoder_that_died_while_it_was_idle_costs_nothing(embedding: Server, song: Path):
    before = upload(embedding, "/v1/embed", song.read_bytes())
    idle = list(worker_pool.idle)
    assert idle
    for worker in idle:
        worker.process.kill()
        worker.process.wait()
    after = upload(embedding, "/v1/embed", song.read_bytes())
    assert (before.status_code, after.status_code) == (200, 200)
    assert after.json()["embedding"] == before.json()["embedding"]
