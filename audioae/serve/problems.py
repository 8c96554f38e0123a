"""Errors as problem+json: what is wrong, where, and what to do.

Conventions
-----------
- `type` is stable, for programs; `detail`, `where` and `action` are for people. The message of a library error is split
  at its last semicolon, after which it says what to do.
- An unexpected error answers 500 with its request ID; its traceback is in the log only.

Source: RFC 9457, "Problem Details for HTTP APIs".
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from audioae.errors import AudioaeError, AudioError, ModelError, StoreError, UnknownTrackError
from audioae.extras import explain_missing
from audioae.serve.pools import QueueFullError

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "malformed request",
    401: "no valid key",
    403: "not allowed",
    404: "not found",
    405: "method not allowed",
    408: "request too slow",
    409: "conflict",
    413: "request too large",
    415: "wrong media type",
    421: "not this server",
    422: "cannot be answered",
    429: "too many requests",
    500: "internal error",
    501: "not installed here",
    503: "not available now",
}

_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
DOCUMENT = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail")},
        "status": {"type": "integer"},
        **dict.fromkeys(("where", "action", "request_id"), _TEXT),
    },
    "required": ["type", "title", "status", "detail", "where", "action", "request_id"],
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {"description": "What is wrong, where, and what to do.", "content": {MEDIA_TYPE: {"schema": DOCUMENT}}}
}
"""The errors of every endpoint, for OpenAPI."""


class Problem(Exception):  # noqa: N818 - what the RFC calls it
    """An error that is answered as problem+json.

    Parameters
    ----------
    status : int
    detail : str
        What was got, and what was wanted.
    where : str, optional
        The part of the request that is at fault: `seeds.0.track_id`.
    action : str, optional
        What to do.
    kind : str, optional
        The last part of `type`; default: from the title of the status.
    headers : mapping, optional
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        where: str | None = None,
        action: str | None = None,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(detail)
        self.status, self.detail, self.where, self.action = status, detail, where, action
        self.kind = kind or TITLES.get(status, "error").replace(" ", "-")
        self.headers = dict(headers or {})

    def document(self, request_id: str | None = None) -> dict[str, Any]:
        """The answer's body."""
        return {
            "type": f"urn:audioae:{self.kind}",
            "title": TITLES.get(self.status, "error"),
            "status": self.status,
            "detail": self.detail,
            "where": self.where,
            "action": self.action,
            "request_id": request_id,
        }

    def response(self, request_id: str | None = None) -> Response:
        body = orjson.dumps(self.document(request_id))
        return Response(body, self.status, {**self.headers}, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem | None:
    """The problem that an error of the library or of the service is; None for a bug.

    >>> problem_of(UnknownTrackError("no track_id 'x'; look it up")).document()["action"]
    'look it up'
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, QueueFullError):
        again = {"Retry-After": str(error.retry_after_s)}
        return Problem(503, str(error), action="try again later", kind="queue-full", headers=again)
    if isinstance(error, ModuleNotFoundError) and (message := explain_missing(error, "this request")):
        return Problem(501, message, kind="not-installed")
    if isinstance(error, ValidationError):
        return validation_problem(error.errors(include_url=False))
    if isinstance(error, AudioaeError):
        of_the_store = isinstance(error, StoreError | ModelError)
        status = 503 if of_the_store else 404 if isinstance(error, UnknownTrackError) else 422
        kind = f"audio-{error.reason}" if isinstance(error, AudioError) else _kebab(type(error).__name__)
        detail, semicolon, action = str(error).rpartition("; ")
        return Problem(status, detail if semicolon else action, action=action if semicolon else None, kind=kind)
    return None


def validation_problem(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem of a body or a parameter that does not have the documented form; names the first fault."""
    first = errors[0]
    where = [part for part in first["loc"] if part != "function-after"]
    malformed = first["type"] in ("json_invalid", "value_error.jsondecode")
    more = f"; and {len(errors) - 1} more faults" if len(errors) > 1 else ""
    return Problem(
        400 if malformed else 422,
        f"{first['msg']}{more}",
        where=".".join(map(str, where)) or None,
        action="see /docs for the form of the request",
        kind="malformed-json" if malformed else "invalid-request",
    )


def add_handlers(app: FastAPI) -> None:
    """Answer every error with its problem."""

    async def known(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        if problem is None:
            return await unexpected(request, error)
        return problem.response(_request_id(request))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [{**fault, "loc": fault["loc"][1:]} for fault in error.errors()]  # the first part: body, query or path
        return validation_problem(errors).response(_request_id(request))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        problem = Problem(error.status_code, str(error.detail), action="see /docs for the paths", headers=error.headers)
        return problem.response(_request_id(request))

    async def unexpected(request: Request, error: Exception) -> Response:
        request_id = _request_id(request)
        _log.error("request %s failed", request_id, exc_info=error)
        return Problem(500, "the server met an error of its own", action="report it with its request_id").response(
            request_id
        )

    for kind in (Problem, QueueFullError, AudioaeError, ModuleNotFoundError, ValidationError):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)


def _request_id(request: Request) -> str | None:
    return request.scope.get("state", {}).get("request_id")


def _kebab(name: str) -> str:
    """
    >>> _kebab("UnknownTrackError")
    'unknown-track'
    """
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name.removesuffix("Error"))[1:]
