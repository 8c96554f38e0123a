"""The client library of others, py-opensonic, asks this server.

Source: libopensonic 10.4.1 posts forms to `/rest/METHOD.view`, or gets them (`use_get`), with v, c, f=json and either
apiKey or u, t and s (`legacy_auth`: u, p); it raises for the codes of the specification.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import libopensonic
import numpy as np
import pytest
from libopensonic import errors

from tests.serve.conftest import READ_KEY
from tests.serve.serving import Server


@contextmanager
def connected(server: Server, **settings: Any) -> Iterator[Any]:  # its methods are made at run time
    port = urlsplit(server.url).port or 0
    connection = libopensonic.Connection("http://127.0.0.1", port=port, app_name="tests", **settings)
    try:
        yield connection
    finally:
        connection.cleanup()


@pytest.mark.parametrize("use_get", [False, True])
@pytest.mark.parametrize("use_views", [False, True])
def test_every_method(locked: Server, use_get: bool, use_views: bool):
    with connected(locked, api_key=READ_KEY, use_get=use_get, use_views=use_views) as client:
        assert client.ping() is True
        assert client.token_info().username == "reader"
        extensions = {extension.name: extension.versions for extension in client.get_open_subsonic_extensions()}
        assert extensions[libopensonic.Extensions.SONIC_SIMILARITY] == [1]
        assert extensions[libopensonic.Extensions.API_KEY_AUTHENTICATION] == [1]
        assert extensions[libopensonic.Extensions.FORM_POST] == [1]
        found = client.get_sonic_similar_tracks("t03", count=7)
        wanted = locked.library.similar("t03", k=7).neighbors
        assert [match.entry.id for match in found] == [neighbor.track_id for neighbor in wanted]
        assert [match.entry.title for match in found] == [neighbor.title for neighbor in wanted]
        np.testing.assert_allclose([match.similarity for match in found], [max(n.score, 0) for n in wanted])
        path = client.find_sonic_path("t00", "t07", count=6)
        assert [match.entry.id for match in path] == locked.library.sonic_path("t00", "t07", 6).track_ids


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"api_key": "wrong"}, errors.SonicError, "invalid API key"),
        ({"username": "me", "password": "secret"}, errors.SonicError, "token authentication is not supported"),
        (
            {"username": "me", "password": "secret", "legacy_auth": True},
            errors.SonicError,
            "authentication mechanism is not supported",
        ),
    ],
)
def test_it_is_told_why_it_may_not_ask(locked: Server, settings: dict, error: type[Exception], message: str):
    with connected(locked, **settings) as client, pytest.raises(error, match=message):
        client.ping()


def test_it_may_send_any_password_to_a_server_without_keys(served: Server):
    with connected(served, username="me", password="secret") as client:
        assert client.ping() is True
        assert len(client.get_sonic_similar_tracks("t03")) == 10
        with pytest.raises(errors.DataNotFoundError, match="no track_id 'nobody'"):
            client.get_sonic_similar_tracks("nobody")
