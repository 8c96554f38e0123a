"""A server that has no room says so in the shape that the client reads."""

import httpx
import pytest

from audioae.serve.pools import QueueFullError
from tests.serve.opensubsonic.asking import ask
from tests.serve.serving import Server


@pytest.fixture
def full(served: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    async def refuse(function):
        raise QueueFullError("search", 64)

    for pool in served.service.pools.values():
        monkeypatch.setattr(pool, "run", refuse)
    return served


def test_audiomuse(full: Server):
    response = httpx.get(f"{full.url}/api/similar_tracks?item_id=t03")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert list(response.json()) == ["error"]


@pytest.mark.parametrize("f", ["json", "xml"])
def test_opensubsonic(full: Server, f: str):
    response = ask(full, "getSonicSimilarTracks", id="t03", f=f)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "64 requests" in response.text
    assert response.headers["content-type"] == f"application/{f}"
    assert ask(full, "ping", f=f).status_code == 200
