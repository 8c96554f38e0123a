"""Who may ask: keys as OpenSubsonic sends them, and what is refused with which code."""

import pytest

from tests.serve.conftest import ADMIN_KEY, READ_KEY
from tests.serve.opensubsonic.asking import CLIENT, ask, code_of, in_json
from tests.serve.serving import Server


def test_a_key_opens_every_method(locked: Server):
    for key, name in ((READ_KEY, "reader"), (ADMIN_KEY, "admin")):
        assert in_json(locked, "ping", apiKey=key)["status"] == "ok"
        assert in_json(locked, "tokenInfo", apiKey=key)["tokenInfo"] == {"username": name}
        assert len(in_json(locked, "getSonicSimilarTracks", apiKey=key, id="t03")["sonicMatch"]) == 10
        answered = ask(locked, "ping.view", post=True, f="json", apiKey=key)
        assert answered.json()["subsonic-response"]["status"] == "ok"


def test_the_headers_of_other_clients_work_too(locked: Server):
    with locked.client(READ_KEY) as client:
        document = client.get("/rest/tokenInfo", params=CLIENT | {"f": "json"}).json()["subsonic-response"]
    assert document["tokenInfo"] == {"username": "reader"}


@pytest.mark.parametrize("method", ["ping", "tokenInfo", "getSonicSimilarTracks", "findSonicPath", "getLicense"])
@pytest.mark.parametrize(
    ("login", "code"),
    [
        ({}, 10),
        ({"apiKey": ""}, 10),
        ({"apiKey": "wrong"}, 44),
        ({"apiKey": f"{READ_KEY} "}, 44),
        ({"apiKey": "ключ"}, 44),
        ({"apiKey": "k" * 5000}, 44),
        ({"u": "me", "p": "secret"}, 42),
        ({"u": "me"}, 42),
        ({"u": "me", "t": "26719a1196d2a940705a59634eb18eab", "s": "c19b2d"}, 41),
        ({"u": "me", "p": "secret", "s": "c19b2d"}, 43),
        ({"apiKey": READ_KEY, "u": "reader"}, 43),
        ({"apiKey": READ_KEY, "t": "a", "s": "b"}, 43),
    ],
)
def test_everything_else_is_refused_with_its_code(locked: Server, method: str, login: dict, code: int):
    assert code_of(locked, method, id="t03", startSongId="t00", endSongId="t01", **login) == code


def test_a_refusal_names_no_track_and_no_key(locked: Server):
    for key in ("", "wrong"):
        answered = ask(locked, "getSonicSimilarTracks", id="t03", apiKey=key)
        assert (answered.status_code, "t03" in answered.text, "wrong" in answered.text) == (200, False, False)


def test_what_the_server_can_do_is_public(locked: Server):
    with locked.client() as client:  # without any parameter: XML
        assert "sonicSimilarity" in client.get("/rest/getOpenSubsonicExtensions").text
        document = client.post("/rest/getOpenSubsonicExtensions.view?f=json").json()["subsonic-response"]
    assert document["openSubsonicExtensions"] == [
        {"name": "apiKeyAuthentication", "versions": [1]},
        {"name": "formPost", "versions": [1]},
        {"name": "sonicSimilarity", "versions": [1]},
    ]
