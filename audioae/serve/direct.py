"""Requests for a fixed path go straight to their endpoint: one look-up, one parse, one call.

Conventions
-----------
- An endpoint is called directly if it takes the request and at most one JSON body, and nothing of the path, the query
  or the headers. All others, and all that is wrong with a request (no such path, no such method), is FastAPI's.
- A body is JSON whatever its Content-Type says: `curl -d` says that it is a form.

Why: FastAPI tries the routes one after the other, and resolves dependencies, content types and parameters that these
endpoints do not have. That took 300 of the 420 microseconds of a request (`python -m tests.bench serve`).
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, get_type_hints

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send


class Endpoint(NamedTuple):
    """An endpoint, its route, the names of its parameters, and what its body is parsed to, if it takes one."""

    function: Callable[..., Awaitable[Response]]
    route: APIRoute
    request: str
    body: str | None
    model: type[BaseModel]


class Direct:
    """ASGI application: calls the endpoints of fixed paths, and leaves all else to `app`."""

    def __init__(self, app: ASGIApp, endpoints: dict[tuple[str, str], Endpoint]):
        self._app, self._endpoints = app, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = endpoint.route
        request = Request(scope, receive, send)
        arguments: dict[str, Any] = {endpoint.request: request}
        if endpoint.body is not None:
            arguments[endpoint.body] = endpoint.model.model_validate_json(await request.body())
        response = await endpoint.function(**arguments)
        await response(scope, receive, send)


def call_directly(app: FastAPI) -> None:
    """Let requests to `app` skip the router where nothing is to be routed. Call it when all routes are there."""
    endpoints = {
        (method, context.path): endpoint
        for context in iter_route_contexts(app.routes)
        if context.path and (endpoint := _endpoint(context))
        for method in context.methods or ()
    }
    app.router.middleware_stack = Direct(app.router.middleware_stack, endpoints)


def _endpoint(context: RouteContext) -> Endpoint | None:
    """The endpoint of a route, if it can be called directly."""
    route = context.original_route
    if not isinstance(route, APIRoute) or route.path != context.path or "{" in route.path or route.dependencies:
        return None
    if type(route) is not APIRoute:  # it treats requests and errors in a way of its own
        return None
    kinds = get_type_hints(route.endpoint)
    if kinds.pop("return", None) is not Response or not inspect.iscoroutinefunction(route.endpoint):
        return None
    requests = [name for name, kind in kinds.items() if kind is Request]
    bodies = [name for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, BaseModel)]
    if len(requests) != 1 or len(bodies) > 1 or len(kinds) != 1 + len(bodies):
        return None
    body = bodies[0] if bodies else None
    return Endpoint(route.endpoint, route, requests[0], body, kinds[body] if body else BaseModel)
