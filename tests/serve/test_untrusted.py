"""What a stranger may send: no text of a request is a path, a title or code, and whatever is wrong is a 4xx."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.serve.serving import Server

NAMES = (
    "/etc/passwd",
    "../../../../etc/passwd",
    "file:///etc/passwd",
    "Title 1",
    "title 1",
    "/music/t01.mp3",
    "t01:2",
    "t01 ",
    "T01",
    "t0",
    "t01\x00",
    "t01\n",
    "%74%30%31",
    "‮t01",
    "t01'--",
    "${jndi:ldap://x}",
    "a" * 200,
)


def problem(answer) -> dict:
    """An answer's problem, which is one of the client's."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert {"type", "title", "status", "detail", "where", "action", "request_id"} == document.keys()
    return document


def similar(server: Server, body: object):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with server.client() as client:
        return client.post("/v1/similar", content=content, headers={"Content-Type": "application/json"})


def seeded(**seed) -> dict:
    return {"seeds": [seed], "k": 3}


class _Audit:
    """File system events of this process while it is on: an audit hook cannot be removed, so there is one."""

    def __init__(self):
        self.paths: list[str] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple) -> None:
        if self.paths is not None and event in ("open", "os.listdir", "os.scandir", "os.stat", "glob.glob"):
            self.paths.append(str(arguments[0]))

    @contextmanager
    def on(self) -> Iterator[list[str]]:
        self.paths = paths = []
        try:
            yield paths
        finally:
            self.paths = None


AUDIT = _Audit()


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_seed_is_a_track_id_and_nothing_else(served: Server, monkeypatch: pytest.MonkeyPatch, name: str):
    """Not even whether a file exists may be learned: all unknown names have one answer, and no file is looked at."""
    similar(served, seeded(track_id="unknown"))  # loads what it needs
    looked: list[str] = []
    for method in ("is_file", "exists", "stat", "open"):
        monkeypatch.setattr(Path, method, lambda path, *_, **__: looked.append(str(path)))
    with AUDIT.on() as opened:
        answer = similar(served, seeded(track_id=name))
    monkeypatch.undo()
    document, expected = problem(answer), problem(similar(served, seeded(track_id="unknown")))
    assert answer.status_code == 404
    for key in ("type", "title", "where", "action"):
        assert document[key] == expected[key]
    assert document["detail"] == expected["detail"].replace("'unknown'", repr(name))
    assert looked == []
    assert [path for path in opened if path.startswith(("/etc", "..", "/music", "Title", "t0"))] == []


@pytest.mark.parametrize("member", ["minus", "seeds"])
def test_that_holds_for_what_is_disliked_and_for_aliases(served: Server, member: str):
    for seed in ({"track_id": "/etc/passwd"}, {"alias": {"namespace": "/etc", "id": "passwd"}}):
        body = {"seeds": [{"track_id": "t01"}], "k": 3} | {member: [seed]}
        assert similar(served, body).status_code == 404


@pytest.mark.parametrize(
    "seed",
    [
        {},
        "t01",
        "/etc/passwd",
        None,
        1,
        [],
        {"path": "/etc/passwd"},
        {"track_id": "t01", "path": "/etc/passwd"},
        {"title": "Title 1"},
        {"uri": "/music/t01.mp3"},
        {"file": "/etc/passwd"},
        {"track_id": None},
        {"track_id": 1},
        {"track_id": ["t01"]},
        {"track_id": {"$ne": ""}},
        {"track_id": ""},
        {"track_id": "x" * 201},
        {"track_id": "t01", "weight": -1},
        {"track_id": "t01", "weight": 0},
        {"track_id": "t01", "weight": 1e300},
        {"track_id": "t01", "embedding": [0.0] * 128},
        {"alias": "t01"},
        {"alias": {"namespace": "a"}},
        {"embedding": [0.1] * 127},
        {"embedding": [0.1] * 129},
        {"embedding": [0.0] * 128},
        {"embedding": ["a"] * 128},
        {"embedding": [[0.1]] * 128},
        {"embedding": [1e300] * 128},
        {"embedding": "A" * 128},
    ],
    ids=lambda seed: json.dumps(seed)[:50],
)
def test_a_seed_of_another_form_is_refused(served: Server, seed: object):
    problem(similar(served, {"seeds": [seed]}))


def _ones(first: str) -> bytes:
    return b'{"seeds": [{"embedding": [%s]}]}' % ", ".join([first, *["1"] * 127]).encode()


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (_ones("NaN"), (400, 422)),
        (_ones("Infinity"), (400, 422)),
        (_ones("-Infinity"), (400, 422)),
        (_ones("1e999"), (400, 422)),
        (_ones("9" * 400), (400, 422)),
        (_ones("9" * 10_000), (400, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": %s}' % (b"9" * 5_000), (400, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 1e3}', (200, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 1001}', (422,)),
        (b'{"seeds": [{"track_id": "t01"}], "k": -1}', (422,)),
        (b'{"seeds": [{"track_id": "t01"}], "k": true}', (422, 200)),
        (b'{"seeds": [{"track_id": "t01"}], "k": null}', (422,)),
        (b'{"seeds": [{"track_id": "t01"}], "unknown": 1}', (422,)),
        (b'{"seeds": [{"track_id": "t\\ud800"}]}', (400, 404, 422)),
        (b'{"seeds": [{"track_id": "t\xff\xfe"}]}', (400,)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"added_after": "never"}}', (422,)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"added_after": 1e300}}', (422,)),
        (
            b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"added_after": "0001-01-01T00:00:00+23:59"}}',
            (200, 422),
        ),
        (
            b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"added_after": "9999-12-31T23:59:59-23:59"}}',
            (200, 422),
        ),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"year": {"gte": 1e300}}}', (200, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"year": {"gte": 1990.5, "lte": 1995}}}', (200, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"year": {"gte": 99, "lte": 1}}}', (200, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"label": [[]]}}', (422,)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"label": ""}}', (200, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"label": "\\u0000"}}', (200, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"label": "\\ud800"}}', (200, 400, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"allow_ids": ["\\ud800"]}}', (200, 400, 422)),
        (b'{"seeds": [{"track_id": "t01"}], "k": 3, "filters": {"deny_ids": ["/etc/passwd"]}}', (200,)),
        (b"[" * 100_000, (400, 422)),
        (b'{"seeds":' * 50_000, (400, 422)),
        (b'{"seeds": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", (400, 422)),
        (b'{"seeds": [{"track_id": "no"}], "seeds": [{"track_id": "t01"}]}', (200, 400, 422)),
        (b"", (400, 422)),
        (b"null", (422,)),
        (b"[]", (422,)),
        (b'"t01"', (422,)),
        (b"\xef\xbb\xbf{}", (400, 422)),
        (b"\x00", (400, 422)),
        (b"{'seeds': []}", (400, 422)),
        (json.dumps({"seeds": [{"track_id": "t01"}] * 101}).encode(), (422,)),
        (json.dumps({"seeds": [{"track_id": "t01"}]}).encode("utf-16"), (400, 422, 200)),
    ],
    ids=lambda value: (
        (value[:60] + str(len(value)).encode()).decode("latin-1").encode("unicode_escape").decode()
        if isinstance(value, bytes)
        else ""
    ),
)
def test_whatever_the_body_is_the_server_has_no_error_of_its_own(
    served: Server, body: bytes, statuses: tuple[int, ...]
):
    answer = similar(served, body)
    assert answer.status_code in statuses, answer.text
    if answer.status_code != 200:
        problem(answer)


def test_an_embedding_may_have_any_length(served: Server):
    embedding = served.library.embedding_of(served.library.find("t01"))
    expected = [neighbor.track_id for neighbor in served.library.similar(embedding, 3).neighbors]
    for scale in (1e-60, 1e-30, 1e30, 1e60):
        answer = similar(served, seeded(embedding=(embedding.astype(np.float64) * scale).tolist()))
        assert answer.status_code == 200, (scale, answer.text)
        assert [neighbor["track_id"] for neighbor in answer.json()["neighbors"]] == expected


def test_control_characters_in_a_request_id_or_a_path_reach_no_answer(served: Server):
    with served.client() as client:
        for request_id in ("a\x1b[31m", "a b", "x" * 200, "é".encode().decode("latin-1"), "<script>"):
            answer = client.get("/livez", headers={b"X-Request-ID": request_id.encode("latin-1")})
            if "\x1b" in request_id:  # no header may contain it
                assert answer.status_code == 400
                continue
            assert answer.headers["X-Request-ID"] != request_id
            assert answer.headers["X-Request-ID"].isalnum()
        assert client.get("/livez", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"] == "mine-1"
        for path in (
            "/v1/%1b%5b31m",
            "/v1/tracks/%00",
            "/v1/..%2f..%2fetc%2fpasswd",
            "/v1/tracks/..%2f..%2fetc%2fpasswd",
        ):
            answer = client.get(path)
            assert answer.status_code in (404, 405, 422), path
            assert "\x1b" not in answer.text


def test_many_strangers_at_once_do_not_hinder_a_friend(served: Server):
    bodies = [b"[" * 100_000, _ones("NaN"), b'{"seeds": [{"track_id": "/etc/passwd"}]}'] * 8
    threads = [threading.Thread(target=similar, args=(served, body)) for body in bodies]
    for thread in threads:
        thread.start()
    assert similar(served, seeded(track_id="t01")).status_code == 200
    for thread in threads:
        thread.join()
