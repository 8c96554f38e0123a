"""OpenSubsonic against the library: every method, in every form of request and answer."""

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audioae import __version__
from audioae.serve.opensubsonic import endpoints
from tests.serve.opensubsonic.asking import CLIENT, XMLNS, ask, code_of, in_json, in_xml
from tests.serve.serving import Server

PATH = {"startSongId": "t00", "endSongId": "t07", "count": 6}
CALLS = {
    "ping": {},
    "getOpenSubsonicExtensions": {},
    "tokenInfo": {},
    "getSonicSimilarTracks": {"id": "t03", "count": 4},
    "findSonicPath": PATH,
}
SERVER = {"status": "ok", "version": "1.16.1", "type": "audioae", "serverVersion": __version__, "openSubsonic": True}


def song_of(server: Server, track_id: str) -> dict:
    track = server.library.lookup.track(server.library.lookup.row_of(track_id))
    known = {"album": track.album, "artist": track.artist, "year": track.year, "genre": track.label}
    return {
        "id": track_id,
        "isDir": False,
        "title": track.title,
        "isVideo": False,
        "type": "music",
        "mediaType": "song",
        "suffix": "mp3",
        "duration": round(track.duration_s),  # pyright: ignore[reportArgumentType]
        "created": f"{track.added_at:%Y-%m-%dT%H:%M:%SZ}",
        **{name: value for name, value in known.items() if value is not None},
    }


@pytest.mark.parametrize("method", CALLS)
def test_every_method_in_every_form(served: Server, method: str):
    assert set(CALLS) == set(endpoints.METHODS)
    wanted = in_json(served, method, **CALLS[method])
    assert {name: wanted[name] for name in SERVER} == SERVER
    root = in_xml(served, method, **CALLS[method])
    assert root.attrib == {**SERVER, "openSubsonic": "true"}
    for name in (method, f"{method}.view"):
        for post in (False, True):
            answered = ask(served, name, post=post, f="json", **CALLS[method])
            assert answered.json()["subsonic-response"] == wanted
            answered = ask(served, name, post=post, f="xml", **CALLS[method])
            assert [child.tag for child in root] == [f"{XMLNS}{key}" for key in _children(wanted)]


def _children(document: dict) -> list[str]:
    return [
        key
        for key, value in document.items()
        if key not in SERVER
        for _ in (value if isinstance(value, list) else [value])
    ]


def test_parameters_may_be_in_the_query_and_in_the_form(served: Server):
    with served.client() as client:
        answered = client.post("/rest/getSonicSimilarTracks?id=t01&f=json", data=CLIENT | {"id": "t03", "count": "2"})
    assert answered.json()["subsonic-response"] == in_json(served, "getSonicSimilarTracks", id="t03", count=2)


def test_similar_tracks_are_those_of_the_library(served: Server):
    found = in_json(served, "getSonicSimilarTracks", id="t03", count=20)["sonicMatch"]
    wanted = served.library.similar("t03", k=20)
    assert [match["entry"] for match in found] == [song_of(served, n.track_id) for n in wanted.neighbors]
    assert [match["similarity"] for match in found] == [max(n.score, 0.0) for n in wanted.neighbors]
    assert found[-1]["similarity"] < found[0]["similarity"] <= 1
    ten = in_json(served, "getSonicSimilarTracks", id="t03")["sonicMatch"]
    assert ten == found[:10]
    assert in_json(served, "getSonicSimilarTracks", id="t03", count=0)["sonicMatch"] == []
    everything = in_json(served, "getSonicSimilarTracks", id="t03", count=1000000)["sonicMatch"]
    assert len(everything) == len(served.library.similar("t03", k=1000).neighbors)
    assert min(match["similarity"] for match in everything) == 0.0, "the scale ends at 0 also for opposites"


def test_xml_says_what_json_says(served: Server):
    found = in_json(served, "getSonicSimilarTracks", **CALLS["getSonicSimilarTracks"])["sonicMatch"]
    elements = in_xml(served, "getSonicSimilarTracks", **CALLS["getSonicSimilarTracks"]).findall(f"{XMLNS}sonicMatch")
    for match, element in zip(found, elements, strict=True):
        (entry,) = element
        assert entry.tag == f"{XMLNS}entry"
        assert float(element.get("similarity", "")) == match["similarity"]
        values = {name: str(value) for name, value in match["entry"].items()}
        assert entry.attrib == values | {"isDir": "false", "isVideo": "false"}
    extensions = in_xml(served, "getOpenSubsonicExtensions").findall(f"{XMLNS}openSubsonicExtensions")
    assert {e.get("name"): [version.text for version in e] for e in extensions} == {
        "apiKeyAuthentication": ["1"],
        "formPost": ["1"],
        "sonicSimilarity": ["1"],
    }
    assert in_xml(served, "tokenInfo")[0].attrib == {"username": "anonymous"}


def test_a_path_is_the_librarys_playlist_and_similarity_is_to_its_start(served: Server):
    found = in_json(served, "findSonicPath", **PATH)["sonicMatch"]
    wanted = served.library.sonic_path("t00", "t07", 6)
    ids = [match["entry"]["id"] for match in found]
    assert ids == wanted.track_ids
    assert (ids[0], ids[-1], len(ids)) == ("t00", "t07", 6)
    assert [match["entry"] for match in found] == [song_of(served, track_id) for track_id in ids]
    start = served.library.embedding_of(served.library.find("t00"))
    cosines = [float(start @ served.library.embedding_of(served.library.find(track_id))) for track_id in ids]
    np.testing.assert_allclose([m["similarity"] for m in found], np.clip(cosines, 0, 1), atol=1e-6)


def test_the_ends_of_a_path_are_those_that_were_asked_for(served: Server):
    def path(start: str, end: str, count: int) -> list[str]:
        found = in_json(served, "findSonicPath", startSongId=start, endSongId=end, count=count)["sonicMatch"]
        return [match["entry"]["id"] for match in found]

    assert path("t00", "t00", 5) == ["t00"]
    assert path("t05", "t50", 5) == ["t05", "t50"], "the same bytes"
    copies = path("t51", "t03", 5)  # t51 has the bytes of t10
    assert (copies[0], copies[-1], len(copies)) == ("t51", "t03", 5)
    assert "t10" not in copies
    assert len(path("t00", "t07", 500)) == len({*served.library.alignment.group.tolist()}), "fewer if there are fewer"
    assert path("t00", "t07", 2) == ["t00", "t07"]


@pytest.mark.parametrize(
    ("method", "parameters", "code", "message"),
    [
        ("getSonicSimilarTracks", {}, 10, "id: required parameter is missing"),
        ("getSonicSimilarTracks", {"id": ""}, 10, "id: required"),
        ("getSonicSimilarTracks", {"id": "nobody"}, 70, "no track_id 'nobody'"),
        ("getSonicSimilarTracks", {"id": "nobody", "count": 0}, 70, "no track_id 'nobody'"),
        ("getSonicSimilarTracks", {"id": "Title 3"}, 70, "no track_id 'Title 3'"),  # titles and paths mean nothing
        ("getSonicSimilarTracks", {"id": "/etc/passwd"}, 70, "no track_id"),
        ("getSonicSimilarTracks", {"id": "t03:2"}, 70, "no track_id"),
        ("getSonicSimilarTracks", {"id": "x" * 1001}, 0, "id: got 1,001 characters"),
        ("getSonicSimilarTracks", {"id": "t57"}, 70, "t57 .* has no embedding; silent"),
        ("getSonicSimilarTracks", {"id": "t03", "count": -1}, 0, "count: got '-1', wanted a whole number from 0 on"),
        ("getSonicSimilarTracks", {"id": "t03", "count": "many"}, 0, "count: got 'many'"),
        ("getSonicSimilarTracks", {"id": "t03", "count": "٣"}, 0, "count: got"),
        ("findSonicPath", {"endSongId": "t00"}, 10, "startSongId: required"),
        ("findSonicPath", {"startSongId": "t00"}, 10, "endSongId: required"),
        ("findSonicPath", {"startSongId": "t00", "endSongId": "no"}, 70, "no track_id 'no'"),
        ("findSonicPath", {"startSongId": "t00", "endSongId": "t59"}, 70, "t59 .* has no embedding"),
        ("findSonicPath", {"startSongId": "t00", "endSongId": "t07", "count": 0}, 0, "count: got '0'"),
        ("findSonicPath", {"startSongId": "t00", "endSongId": "t07", "count": 1}, 70, "at least 2 tracks"),
        ("ping", {"v": ""}, 10, "v: required"),
        ("ping", {"c": ""}, 10, "c: required"),
        ("ping", {"v": "one"}, 0, "v: got 'one'"),
        ("ping", {"v": "0.9"}, 20, "upgrade the client"),
        ("ping", {"v": "1.17"}, 30, "speaks 1.16.1"),
        ("ping", {"v": "2.0.0"}, 30, "speaks 1.16.1"),
        ("ping", {"apiKey": "k", "u": "me"}, 43, "apiKey, u: multiple conflicting"),
        ("ping", {"u": "me", "p": "secret", "t": "a", "s": "b"}, 43, "p, s, t, u: multiple conflicting"),
    ],
)
def test_errors_have_the_codes_of_the_specification(
    served: Server, method: str, parameters: dict, code: int, message: str
):
    assert code_of(served, method, **parameters) == code
    assert re.search(message, in_json(served, method, **parameters)["error"]["message"])


def test_old_clients_and_clients_with_any_password_are_welcome_without_keys(served: Server):
    for login in ({"u": "me", "p": "x"}, {"u": "me", "t": "a", "s": "b"}, {"v": "1.1"}, {"apiKey": "any"}):
        assert in_json(served, "ping", **login)["status"] == "ok"
        assert in_json(served, "tokenInfo", **login)["tokenInfo"] == {"username": "anonymous"}


def test_what_is_not_there_is_404_in_the_clients_format(served: Server):
    answered = ask(served, "getLicense.view", f="json")
    assert answered.status_code == 404
    assert answered.json()["subsonic-response"]["error"]["code"] == 0
    assert ask(served, "stream").headers["content-type"] == "application/xml"
    with served.client() as client:
        assert client.get("/rest/").status_code == 404
        assert client.put("/rest/ping").status_code == 405


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"v": "1.16.1"}},
        {"files": {"v": b"1.16.1"}},
        {"content": b"v=\xff", "headers": FORM},
        {"content": b"&".join(b"a%d=1" % i for i in range(101)), "headers": FORM},
    ],
)
def test_a_form_must_be_a_form(served: Server, sent: dict):
    with served.client() as client:
        document = client.post("/rest/ping?f=json&v=1.16.1&c=tests", **sent).json()["subsonic-response"]
    assert (document["status"], document["error"]["code"]) == ("failed", 0)


def test_an_unknown_format_is_an_error_in_xml(served: Server):
    assert in_xml(served, "ping", f="yaml")[0].get("message") == "f: got 'yaml', wanted xml, json, jsonp"


def test_scripts_are_for_those_with_a_key(locked: Server):
    from tests.serve.conftest import READ_KEY

    jsonp: dict[str, Any] = {"f": "jsonp", "callback": "player.onAnswer_1"}
    answered = ask(locked, "ping", apiKey=READ_KEY, **jsonp)
    assert answered.headers["content-type"].startswith("text/javascript")
    assert answered.headers["x-content-type-options"] == "nosniff"
    script = re.fullmatch(r"/\*\*/player\.onAnswer_1\((.*)\);", answered.text)
    assert script is not None
    assert json.loads(script[1])["subsonic-response"] == in_json(locked, "ping", apiKey=READ_KEY)
    refused = ask(locked, "ping", apiKey="wrong", **jsonp)
    assert (refused.headers["content-type"], refused.json()["subsonic-response"]["status"]) == (
        "application/json",
        "failed",
    )
    for callback in ("", "alert(1)//", "a b", "x" * 65, "ä"):
        refused = ask(locked, "ping", apiKey=READ_KEY, f="jsonp", callback=callback)
        assert refused.json()["subsonic-response"]["error"]["code"] == 10


def test_no_page_can_load_a_script_from_a_server_without_keys(served: Server):
    refused = ask(served, "getSonicSimilarTracks", id="t03", f="jsonp", callback="stolen")
    assert refused.headers["content-type"] == "application/json"
    assert "t03" not in refused.text
    assert refused.json()["subsonic-response"]["error"]["code"] == 0


NAMES = st.sampled_from(
    ["id", "count", "startSongId", "endSongId", "f", "callback", "apiKey", "u", "p", "t", "s", "v", "c"]
)
VALUES = st.sampled_from(["t03", "t07", "t59", "json", "xml", "jsonp", "0", "12", "1.16.1"]) | st.text(max_size=20)


@given(
    method=st.sampled_from([*CALLS, "getLicense", "ping.view"]) | st.text("abc%?#é", min_size=1, max_size=8),
    parameters=st.dictionaries(NAMES, VALUES, max_size=6),
    post=st.booleans(),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_is_an_error_of_the_server(served: Server, method: str, parameters: dict, post: bool):
    sent = CLIENT | parameters
    with served.client() as client:
        path = f"/rest/{method}"
        response = client.post(path, data=sent) if post else client.get(path, params=sent)
    assert response.status_code in (200, 404, 405), response.text
