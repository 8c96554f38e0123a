"""What a Subsonic client does, by hand: parameters in, the `subsonic-response` out."""

from typing import Any
from xml.etree import ElementTree

import httpx

from tests.serve.serving import Server

CLIENT = {"v": "1.16.1", "c": "tests"}
XMLNS = "{http://subsonic.org/restapi}"


def ask(server: Server, method: str, *, post: bool = False, **parameters: Any) -> httpx.Response:
    parameters = CLIENT | parameters
    with server.client() as client:
        path = f"/rest/{method}"
        return client.post(path, data=parameters) if post else client.get(path, params=parameters)


def in_json(server: Server, method: str, **parameters: Any) -> dict[str, Any]:
    response = ask(server, method, f="json", **parameters)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return response.json()["subsonic-response"]


def in_xml(server: Server, method: str, **parameters: Any) -> ElementTree.Element:
    response = ask(server, method, **parameters)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/xml")
    root = ElementTree.fromstring(response.content)
    assert root.tag == f"{XMLNS}subsonic-response"
    return root


def code_of(server: Server, method: str, **parameters: Any) -> int:
    """The error code, the same in both formats."""
    failed, element = in_json(server, method, **parameters), in_xml(server, method, **parameters).find(f"{XMLNS}error")
    assert failed["status"] == "failed"
    assert element is not None
    assert (element.get("code"), element.get("message")) == (
        str(failed["error"]["code"]),
        failed["error"]["message"],
    )
    return failed["error"]["code"]
