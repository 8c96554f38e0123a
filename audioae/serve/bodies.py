"""Bodies of requests are counted and timed while they arrive, before anything parses them.

Conventions
-----------
- A body that is too large answers 413: at once where its Content-Length says so, else when it reaches the limit. One
  that is too slow answers 408. Either ends the connection.
- Uploads (`UPLOADS`) have limits of their own, and are written to disk while they arrive (`serve.uploads`). All other
  bodies are read into memory.
- After a 413, what the client still sends is read and dropped for `LINGER_S`: a client that is cut off while it sends
  may never read the answer.

Why a middleware below the frameworks: they read a body whole before the endpoint, or its validation, sees any of it.

Source: RFC 9110, 15.5.9 and 15.5.14; nginx's `lingering_close`.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from audioae.serve.config import Limits
from audioae.serve.problems import Problem

UPLOADS = frozenset({"/v1/similar:file", "/v1/embed"})
LINGER_S = 2.0

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Bodies:
    """ASGI middleware.

    Parameters
    ----------
    app : App
        What is limited.
    limits : Limits
    """

    def __init__(self, app: App, limits: Limits):
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name in _ABOUT_BODIES}
        if not headers.keys() & _BODY:
            await self._app(scope, receive, send)
            return
        is_upload, limits = scope["path"] in UPLOADS, self._limits
        most = limits.upload_bytes if is_upload else limits.body_bytes
        body = _Body(receive, send, most, limits.upload_s if is_upload else limits.body_s, limits.idle_s)
        claimed = headers.get(b"content-length", b"")
        if claimed.isdigit() and int(claimed) > most:
            body.problem = _too_large(most)
        else:
            try:
                await self._app(scope, body.receive, body.send)
            except Exception:
                if body.problem is None:
                    raise
        if body.problem and not body.is_answered:
            await _refuse(scope, receive, send, body.problem, linger=b"expect" not in headers)


_BODY = {b"content-length", b"transfer-encoding"}
_ABOUT_BODIES = {*_BODY, b"expect"}


class _Body:
    """One request's body on its way to the application, and the answer on its way back.

    `problem` is what is wrong with the body. An exception tells the application; its answer is then dropped.
    """

    def __init__(self, receive: Receive, send: Send, most: int, total_s: float, idle_s: float):
        self._receive, self._send = receive, send
        self._most, self._idle_s = most, idle_s
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + total_s
        self._n_bytes = 0
        self._is_whole = False
        self.is_answered = False
        self.problem: Problem | None = None

    async def receive(self) -> Message:
        if self._is_whole:
            return await self._receive()
        if self.problem:
            raise self.problem
        try:
            async with asyncio.timeout_at(min(self._deadline, self._loop.time() + self._idle_s)):
                message = await self._receive()
        except TimeoutError:
            raise self._is(Problem(408, f"the body stopped after {self._n_bytes:,} bytes", action=_SLOW)) from None
        if message["type"] != "http.request":
            raise self._is(Problem(400, f"the connection ended after {self._n_bytes:,} bytes of the body"))
        self._n_bytes += len(message.get("body", b""))
        if self._n_bytes > self._most:
            raise self._is(_too_large(self._most))
        self._is_whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if self.problem and not self.is_answered:
            return
        self.is_answered = True
        await self._send(message)

    def _is(self, problem: Problem) -> Problem:
        self.problem = problem
        return problem


_SLOW = "send it faster, or in smaller requests"


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than {most:,} bytes", action="send less in one request")


async def _refuse(scope: Scope, receive: Receive, send: Send, problem: Problem, *, linger: bool) -> None:
    """Answer, read for a while what still comes, and end the connection."""
    response = problem.response(scope.get("state", {}).get("request_id"))
    response.headers["Connection"] = "close"
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    if linger and problem.status == 413:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while (await receive()).get("more_body", False):
                    pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
