"""Answers against what OpenSubsonic's OpenAPI document requires of them.

Source of the facts: openapi/ of opensubsonic/open-subsonic-api at 4c1819fb8dbd (24 July 2026): the required properties,
their types and their values. The answers were also validated against the document itself, with jsonschema.
"""

import pytest

from tests.serve.conftest import READ_KEY
from tests.serve.opensubsonic.asking import in_json
from tests.serve.opensubsonic.test_endpoints import CALLS
from tests.serve.serving import Server

ERROR_CODES = {0, 10, 20, 30, 40, 41, 42, 43, 44, 50, 60, 70}
ENVELOPE = {"status": str, "version": str, "type": str, "serverVersion": str, "openSubsonic": bool}
CHILD_REQUIRED = {"id": str, "isDir": bool, "title": str}
CHILD_OPTIONAL = {
    "album": str,
    "artist": str,
    "created": str,
    "duration": int,
    "genre": str,
    "isVideo": bool,
    "mediaType": str,
    "size": int,
    "suffix": str,
    "type": str,
    "year": int,
}
MEDIA_TYPES = {"song", "album", "artist"}
GENERIC_MEDIA_TYPES = {"music", "podcast", "audiobook", "video"}
RESULTS = {
    "ping": {},
    "getOpenSubsonicExtensions": {"openSubsonicExtensions": list},
    "tokenInfo": {"tokenInfo": dict},
    "getSonicSimilarTracks": {"sonicMatch": list},
    "findSonicPath": {"sonicMatch": list},
}


def check_types(document: dict, required: dict[str, type], optional: dict[str, type] | None = None) -> None:
    assert set(required) <= set(document)
    known = required | (optional or {})
    assert set(document) <= set(known), "nothing that the specification does not know"
    assert {name: type(value) for name, value in document.items()} == {name: known[name] for name in document}


@pytest.mark.parametrize("method", CALLS)
def test_success(served: Server, method: str):
    document = in_json(served, method, **CALLS[method])
    check_types(document, ENVELOPE | RESULTS[method])
    assert (document["status"], document["openSubsonic"]) == ("ok", True)
    for extension in document.get("openSubsonicExtensions", []):
        check_types(extension, {"name": str, "versions": list})
        assert {type(version) for version in extension["versions"]} == {int}
    if "tokenInfo" in document:
        check_types(document["tokenInfo"], {"username": str})
    for match in document.get("sonicMatch", []):
        check_types(match, {"entry": dict, "similarity": float})
        assert -1 <= match["similarity"] <= 1
        check_types(match["entry"], CHILD_REQUIRED, CHILD_OPTIONAL)
        assert match["entry"]["mediaType"] in MEDIA_TYPES
        assert match["entry"]["type"] in GENERIC_MEDIA_TYPES


@pytest.mark.parametrize("method", ["ping", "tokenInfo", "getSonicSimilarTracks", "findSonicPath"])
@pytest.mark.parametrize("key", [READ_KEY, "wrong"])
def test_failure(locked: Server, method: str, key: str):
    document = in_json(locked, method, apiKey=key, id="nobody", startSongId="nobody", endSongId="t00")
    if document["status"] == "failed":
        check_types(document, ENVELOPE | {"error": dict})
        check_types(document["error"], {"code": int}, {"message": str, "helpUrl": str})
        assert document["error"]["code"] in ERROR_CODES
