"""The answer that Subsonic clients read: `subsonic-response`, as XML, JSON or JSONP, also for errors.

Conventions
-----------
- XML is the default, as in Subsonic. A value is an attribute, an object a child element, and each item of a list an
  element of the list's name; items that are values are its text.
- XML cannot hold control characters: they are shown as `audioae.display` shows them. JSON holds every text as it is.
- JSONP is a script that any page may load, past every rule of CORS: it is given only to who sent a valid key.

Source: https://opensubsonic.netlify.app/docs/responses/subsonic-response/
"""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import orjson
from fastapi import Response

from audioae import __version__
from audioae.display import shown

API_VERSION = "1.16.1"
NAMESPACE = "http://subsonic.org/restapi"
FORMATS = ("xml", "json", "jsonp")
CALLBACK = re.compile(r"[A-Za-z_$][\w$]{0,63}(\.[A-Za-z_$][\w$]{0,63}){0,7}", re.ASCII)
_NONCHARACTERS = re.compile("[\ufffe\uffff]")

GENERIC, MISSING, CLIENT_TOO_OLD, SERVER_TOO_OLD = 0, 10, 20, 30
NO_TOKENS, UNSUPPORTED_LOGIN, CONFLICTING_LOGINS, INVALID_KEY, NOT_FOUND = 41, 42, 43, 44, 70


class FailedError(Exception):
    """The request failed; `code` is one of the specification's.

    Parameters
    ----------
    code : int
    message : str
    status : int
        Of HTTP: 200 as Subsonic's clients expect it, unless the server cannot answer anybody.
    headers : mapping, optional
    """

    def __init__(self, code: int, message: str, *, status: int = 200, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.code, self.message, self.status, self.headers = code, message, status, dict(headers or {})


def answer(payload: Mapping[str, Any], parameters: Mapping[str, str]) -> Response:
    """What was asked for, in the format that was asked for."""
    return _response({"status": "ok", **_server(), **payload}, parameters)


def failure(error: FailedError, parameters: Mapping[str, str]) -> Response:
    """An error, in the format that was asked for; in plain JSON where a script was."""
    if parameters.get("f") == "jsonp":
        parameters = {"f": "json"}
    document = {"status": "failed", **_server(), "error": {"code": error.code, "message": error.message}}
    response = _response(document, parameters)
    response.status_code = error.status
    response.headers.update(error.headers)
    return response


def check_format(parameters: Mapping[str, str], *, has_key: bool) -> None:
    """Raise `FailedError` unless the answer can be given in the format that is asked for."""
    format_ = parameters.get("f", "xml")
    if format_ not in FORMATS:
        raise FailedError(GENERIC, f"f: got {format_!r}, wanted {', '.join(FORMATS)}")
    if format_ == "jsonp":
        if not CALLBACK.fullmatch(parameters.get("callback", "")):
            raise FailedError(MISSING, "callback: wanted the name of a JavaScript function, for f=jsonp")
        if not has_key:
            raise FailedError(GENERIC, "f=jsonp: only with a valid apiKey, as any page can load a script; use f=json")


def to_xml(name: str, content: Mapping[str, Any]) -> ElementTree.Element:
    """An element with attributes and children; None is left out.

    >>> ElementTree.tostring(to_xml("a", {"b": True, "c": {"d": 1.5}, "e": [{"f": "<"}], "g": [2, 3]})).decode()
    '<a b="true"><c d="1.5" /><e f="&lt;" /><g>2</g><g>3</g></a>'
    """
    element = ElementTree.Element(name)
    for key, value in content.items():
        if isinstance(value, Mapping):
            element.append(to_xml(key, value))
        elif isinstance(value, list):
            for item in value:
                child = to_xml(key, item) if isinstance(item, Mapping) else ElementTree.Element(key)
                child.text = None if isinstance(item, Mapping) else _text(item)
                element.append(child)
        elif value is not None:
            element.set(key, _text(value))
    return element


def _server() -> dict[str, Any]:
    return {"version": API_VERSION, "type": "audioae", "serverVersion": __version__, "openSubsonic": True}


def _response(document: dict[str, Any], parameters: Mapping[str, str]) -> Response:
    format_ = parameters.get("f", "xml")
    if format_ not in ("json", "jsonp"):
        root = to_xml("subsonic-response", {"xmlns": NAMESPACE, **document})
        body = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
        return Response(body, media_type="application/xml")
    body = orjson.dumps({"subsonic-response": document})
    if format_ == "json":
        return Response(body, media_type="application/json")
    script = b"/**/%s(%s);" % (parameters["callback"].encode(), body)  # a comment first: no other file type begins so
    return Response(script, media_type="text/javascript", headers={"X-Content-Type-Options": "nosniff"})


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _NONCHARACTERS.sub(lambda found: ascii(found[0])[1:-1], shown(str(value), None))
