"""Every request, once: its ID, its line in the access log, and its counts in the metrics.

    {"time":"2026-03-01T08:00:00.123Z","request_id":"5f0c...","method":"POST","route":"/v1/similar",
     "path":"/v1/similar","status":200,"ms":1.42,"bytes":2213,"client":"10.0.0.7","key":"navidrome",
     "index":"index@3f2a91c03f2a"}

Conventions
-----------
- One JSON line a request, on stdout. The path is as it was sent, percent-encoded and at most 1,000 bytes; the query is
  left out, since it may hold a key. All text is ASCII: nothing that a client sends moves a terminal's cursor.
- The request ID is the client's own (`X-Request-ID`, at most 128 letters, digits, . _ -), or a new one; the answer
  carries it, as do errors and the server's own log.
- `status` is 499 if the client went before the answer was whole.

Why a thread: a pipe whose reader has stopped would stop the event loop, and with it every request. Lines wait in
memory, and are dropped and counted when there are too many.
"""

import contextlib
import os
import random
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from audioae.serve.metrics import UNKNOWN, Metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLIENT_GONE = 499
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_LONGEST_PATH = 1000
_MOST_LINES = 50_000
_EVERY_S = 0.05
_ATOMIC = 4096  # bytes that a pipe takes as a whole, while other workers write to it


class AccessLog:
    """Writes lines to a file descriptor from a thread of its own.

    Parameters
    ----------
    descriptor : int
        Where to; 1 is stdout.
    """

    def __init__(self, descriptor: int = 1):
        self._descriptor = descriptor
        self._lines: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write, name="audioae-access-log", daemon=True)
        self._thread.start()

    def add(self, line: dict[str, Any]) -> None:
        """Take one line; it is written soon."""
        if len(self._lines) < _MOST_LINES:
            self._lines.append(line)
        else:
            self._dropped += 1

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what waits, for at most `timeout_s`."""
        self._closing.set()
        self._thread.join(timeout_s)

    def _write(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._closing.wait(_EVERY_S)
            if dropped := self._dropped:
                self._dropped -= dropped
                self.add({"time": time.time(), "dropped_lines": dropped})
            with contextlib.suppress(OSError):  # nobody reads any more
                for block in blocks(_encode(self._lines.popleft()) for _ in range(len(self._lines))):
                    os.write(self._descriptor, block)


def blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines together, as many as a pipe takes at once.

    >>> [len(block) for block in blocks(iter([b"x" * 2000] * 5))]
    [4000, 4000, 2000]
    """
    block = b""
    for line in lines:
        if block and len(block) + len(line) > _ATOMIC:
            yield block
            block = b""
        block += line
    if block:
        yield block


class Recorder:
    """The outermost middleware: gives each request its ID, and notes how it ended.

    Parameters
    ----------
    app : ASGIApp
    metrics : Metrics
    log : AccessLog, optional
        Without it, requests are only counted.
    """

    def __init__(self, app: "ASGIApp", metrics: Metrics, log: AccessLog | None = None):
        self._app, self._metrics, self._log = app, metrics, log

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        header = (b"x-request-id", request_id.encode())
        status, n_bytes, is_whole = 0, 0, False

        async def record(message: "Message") -> None:
            nonlocal status, n_bytes, is_whole
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            else:
                n_bytes += len(message.get("body", b""))
                is_whole = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, record)
        except Exception:
            if not is_whole:
                raise  # the server closes the connection and logs it
            # otherwise it is in the log already, and its answer was sent: see `problems`
        finally:
            self._note(scope, status if is_whole else CLIENT_GONE, n_bytes, time.perf_counter() - start)

    def _note(self, scope: "Scope", status: int, n_bytes: int, seconds: float) -> None:
        route = template(scope)
        self._metrics.count_request(route, status, seconds)
        if self._log is None:
            return
        state, client = scope["state"], scope.get("client")
        served = state.get("served")
        self._log.add(
            {
                "time": time.time(),
                "request_id": state["request_id"],
                "method": scope["method"],
                "route": route,
                "path": scope.get("raw_path") or scope["path"].encode(),
                "status": status,
                "ms": round(seconds * 1000, 3),
                "bytes": n_bytes,
                "client": client[0] if client else None,
                "key": state.get("key"),
                "index": served.names["index"] if served else None,
            }
        )


def template(scope: "Scope") -> str:
    """The template of the path that a request matched, or "unknown"."""
    return scope.get("state", {}).get("route") or getattr(scope.get("route"), "path", None) or UNKNOWN


def id_of(scope: "Scope") -> str:
    """The request's own ID if it has a sane one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _SANE_ID.fullmatch(value) else _new_id()
    return _new_id()


def _new_id() -> str:
    """16 hex digits. No secret, so without a system call, which would hand Python's lock to another thread."""
    return f"{random.getrandbits(64):016x}"  # nosec


def _encode(line: dict[str, Any]) -> bytes:
    """One line of JSON, in ASCII."""
    when = datetime.fromtimestamp(line["time"], UTC).isoformat(timespec="milliseconds")
    line["time"] = when.replace("+00:00", "Z")
    for name, value in line.items():
        if isinstance(value, bytes):
            line[name] = value[:_LONGEST_PATH].decode("ascii", "backslashreplace")
        elif isinstance(value, str) and not value.isascii():
            line[name] = value.encode("ascii", "backslashreplace").decode()
    return orjson.dumps(line).replace(b"\x7f", b"\\u007f") + b"\n"
