"""What an endpoint uses: the generation that its request began with, a pool to compute in, and the answer as JSON."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response

from audioae.api import Library
from audioae.serve.generations import Served
from audioae.serve.neighbors import neighbors_json
from audioae.serve.problems import Problem
from audioae.serve.service import Service
from audioae.similarity.answer import Neighbors

T = TypeVar("T")

JSON_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z


def service_of(request: Request) -> Service:
    return request.app.state.service


def served_of(request: Request) -> Served:
    """The generation that answers this request: the one that was current when it was first asked for."""
    state = request.scope.setdefault("state", {})
    served = state.get("served")
    if served is None:
        served = state["served"] = service_of(request).generations.current
    return served


async def call(request: Request, pool: str, function: Callable[[Library], T]) -> T:
    """Call `function` with the request's library in a pool. Raises `QueueFullError` if the pool has no room."""
    service, library = service_of(request), served_of(request).library
    kind = getattr(request.scope.get("route"), "name", pool)

    def timed() -> T:
        start = time.perf_counter()
        try:
            return function(library)
        finally:
            service.metrics.observe(pool, kind, time.perf_counter() - start)

    return await service.pools[pool].run(timed)


def respond(request: Request, payload: Mapping[str, Any], status: int = 200) -> Response:
    """The answer as JSON, with the names of the index and the model that it is from. Not a number becomes null."""
    return respond_encoded(encode({**served_of(request).names, **payload}), status)


def encode(payload: Mapping[str, Any]) -> bytes:
    """As JSON; for what is large, in the thread that computed it."""
    return orjson.dumps(payload, default=_encode, option=JSON_OPTIONS)


def respond_encoded(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def require_admin(request: Request) -> None:
    """Raise a `Problem` unless the request's key may change what is served."""
    if request.scope.get("state", {}).get("role") != "admin":
        without = "this server has no keys: send it SIGHUP, or start it with an admin key (audioae serve-key --admin)"
        action = "send one in the header X-API-Key" if service_of(request).keys else without
        raise Problem(403, "this needs an admin key", action=action)


def may_judge(request: Request) -> bool:
    """Whether the request's key allows to save verdicts; without keys, everybody on this machine may."""
    return request.scope.get("state", {}).get("role") in ("judge", "admin")


def _encode(value: Any) -> Any:
    """Neighbors, records and paths, which orjson does not know."""
    if isinstance(value, Neighbors):
        return orjson.Fragment(neighbors_json(value))
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return str(value)
