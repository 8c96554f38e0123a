"""Verdicts over HTTP: saved, read by everybody, never overwritten unawares, and taken back by the screening."""

import httpx
import pytest

from audioae.pipeline.config import Workers
from audioae.screening.config import ScreenConfig
from audioae.screening.findings import open_findings
from audioae.screening.run import screen_store
from audioae.screening.verdict_log import VerdictLog
from audioae.serve.auth import Keys, hash_key
from audioae.store.dataset import Store
from tests.serve.conftest import ADMIN_KEY, READ_KEY
from tests.serve.serving import Server, catalog_store

JUDGE_KEY = "a key that judges"
LINES = f"reader:{hash_key(READ_KEY)}\nears:{hash_key(JUDGE_KEY)}:judge\nadmin:{hash_key(ADMIN_KEY)}:admin"
KEYS = Keys.parse(LINES, "tests")


@pytest.fixture
def server(serve, tmp_path) -> Server:
    return serve(catalog_store(tmp_path))


def one(track_id: str, verdict: str | None, by: str, **more) -> dict:
    return {"check": "duplicate", "track_id": track_id, "verdict": verdict, "by": by, **more}


def post(server: Server, *verdicts: dict, key: str | None = None) -> httpx.Response:
    with server.client(key) as client:
        return client.post("/v1/verdicts", json={"verdicts": verdicts})


def get(server: Server, path: str = "/v1/verdicts", key: str | None = None, **options) -> httpx.Response:
    with server.client(key) as client:
        return client.get(path, **options)


def test_what_is_saved_is_read(server):
    empty = get(server).json()
    assert (empty["verdicts"], empty["writable"], empty["read_only"]) == ([], True, None)
    answer = post(server, one("t03", "issue", " Ann ", note="same song"), one("t04", "fine", "Ann"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["conflicts"] == []
    assert [row["track_id"] for row in answer.json()["saved"]] == ["t03", "t04"]
    read = get(server, params={"check": "duplicate"}).json()
    assert read["revision"] == answer.json()["revision"] != empty["revision"]
    assert read["verdicts"] == answer.json()["saved"]
    row = read["verdicts"][0]
    assert {name: row[name] for name in ("check", "track_id", "verdict", "by", "note", "others")} == {
        "check": "duplicate",
        "track_id": "t03",
        "verdict": "issue",
        "by": "Ann",
        "note": "same song",
        "others": [],
    }
    assert get(server, params={"check": "corrupt"}).json()["verdicts"] == []


def test_a_page_learns_cheaply_that_nothing_has_changed(server):
    tag = get(server).headers["ETag"]
    assert get(server, headers={"If-None-Match": tag}).status_code == 304
    post(server, one("t03", "issue", "Ann"))
    assert get(server, headers={"If-None-Match": tag}).status_code == 200


def test_two_servers_and_two_people_do_not_overwrite_each_other(server, serve):
    other = serve(server.store)
    post(server, one("t03", "issue", "Ann"))
    conflict = post(other, one("t03", "fine", "Bob"), one("t05", "fine", "Bob")).json()
    assert [row["track_id"] for row in conflict["saved"]] == ["t05"]
    (conflict,) = conflict["conflicts"]
    assert (conflict["track_id"], conflict["title"]) == ("t03", "Title 3")
    assert (conflict["yours"]["verdict"], conflict["yours"]["by"]) == ("fine", "Bob")
    assert (conflict["theirs"]["verdict"], conflict["theirs"]["by"]) == ("issue", "Ann")
    assert get(other).json()["verdicts"][0]["verdict"] == "issue"
    again = post(other, {**conflict["yours"], "expected": conflict["theirs"]["verdict"]}).json()
    assert again["conflicts"] == []
    row = get(server).json()["verdicts"][0]
    assert (row["verdict"], row["by"]) == ("fine", "Bob")
    assert [(said["verdict"], said["by"]) for said in row["others"]] == [("issue", "Ann")]
    post(server, one("t03", None, "Bob", expected="fine"))
    assert get(other).json()["verdicts"][0]["by"] == "Ann"


def test_the_screening_takes_what_was_judged_and_its_csv(server, tmp_path):
    settings = ScreenConfig.model_validate({"mislabeled": None, "corrupt": None})

    def issues(store: Store, config: ScreenConfig) -> dict[str, str | None]:
        screen_store(store, config, store.require("index"), Workers(1))
        return {row["track_id"]: row["verdict"] for row in open_findings(store).of_track("t30")}

    assert issues(server.store, settings) == {"t30": None}
    post(server, one("t30", "issue", "Ann"), one("t03", "fine", "Bob"), one("t30", "issue", "Cem"))
    file = get(server, "/v1/verdicts.csv")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert file.headers["Content-Disposition"] == 'attachment; filename="verdicts.csv"'
    assert issues(server.store, settings) == {"t30": "issue"}
    path, elsewhere = tmp_path / "verdicts.csv", catalog_store(tmp_path / "elsewhere")
    path.write_bytes(file.content)
    assert issues(elsewhere, settings) == {"t30": None}
    assert issues(elsewhere, settings.model_copy(update={"verdicts": str(path)})) == {"t30": "issue"}
    assert elsewhere.part_fingerprints("findings") == server.store.part_fingerprints("findings")
    assert get(server, "/v1/verdicts.csv", params={"check": "corrupt"}).text.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ({"check": "no such check"}, 422, "verdicts.1.check"),
        ({"track_id": "no such track"}, 404, "verdicts.1.track_id"),
        ({"verdict": "maybe"}, 422, "verdicts.1.verdict"),
        ({"by": "  "}, 422, "verdicts.1.by"),
        ({"by": "x" * 101}, 422, "verdicts.1.by"),
        ({"note": "x" * 2001}, 422, "verdicts.1.note"),
        ({"path": "/etc/passwd"}, 422, "verdicts.1.path"),
    ],
)
def test_what_is_wrong_with_one_saves_none(server, change, status, where):
    answer = post(server, one("t03", "issue", "Ann"), {**one("t04", "issue", "Ann"), **change})
    assert (answer.status_code, answer.json()["where"]) == (status, where), answer.text
    assert get(server).json()["verdicts"] == []


def test_a_page_of_another_origin_cannot_judge(server):
    with server.client() as client:
        body = b'{"verdicts": [{"check": "duplicate", "track_id": "t03", "verdict": "fine", "by": "x"}]}'
        for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            answer = client.post("/v1/verdicts", content=body, headers={"Content-Type": media})
            assert answer.status_code == 415, media
        assert client.options("/v1/verdicts", headers={"Origin": "https://evil.example"}).status_code == 405
    assert get(server).json()["verdicts"] == []


def test_only_keys_that_may_judge_save(serve, tmp_path):
    server = serve(catalog_store(tmp_path), keys=KEYS)
    assert post(server, one("t03", "issue", "Ann")).status_code == 401
    refused = post(server, one("t03", "issue", "Ann"), key=READ_KEY)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:audioae:read-only")
    reading = get(server, key=READ_KEY).json()
    assert (reading["writable"], "role judge" in reading["read_only"]) == (False, True)
    assert get(server, "/v1/verdicts.csv", key=READ_KEY).status_code == 200
    for key in (JUDGE_KEY, ADMIN_KEY):
        assert post(server, one("t03", "issue", "Ann"), key=key).status_code == 200
        assert get(server, key=key).json()["writable"] is True
    newest = VerdictLog(server.store.storage).read().newest("duplicate", "t03")
    assert newest is not None
    assert newest.key == "admin"
    with server.client(JUDGE_KEY) as client:
        assert client.post("/v1/index:reload", json={}).status_code == 403


def test_a_store_that_cannot_be_written_says_so(server, monkeypatch):
    post(server, one("t03", "issue", "Ann"))
    monkeypatch.setattr("audioae.screening.verdict_log.os.access", lambda path, mode: False)
    answer = get(server).json()
    assert (answer["writable"], len(answer["verdicts"])) == (False, 1)
    assert "cannot be written by this server" in answer["read_only"]
    refused = post(server, one("t04", "issue", "Ann"))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:audioae:read-only")
