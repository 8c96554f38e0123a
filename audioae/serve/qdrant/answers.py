"""The envelope of Qdrant's answers, for results and for errors.

Conventions
-----------
- A result: `{"result": ..., "status": "ok", "time": seconds}`, with `index` and `model` as in every answer.
- An error: `{"status": {"error": "..."}, "time": seconds}`. A request that is wrong or not supported is a 400, whose
  message names the key; a point or a collection that does not exist is a 404.
"""

import time
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from audioae.serve.problems import Problem, problem_of
from audioae.serve.qdrant.body import explain
from audioae.serve.requests import respond

HINTS = {"timeout", "consistency", "wait", "ordering"}
"""Parameters that change nothing: there is one replica, no search takes a second, and writes are refused."""


class QdrantRoute(APIRoute):
    """A route whose errors have Qdrant's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            request.state.began = time.perf_counter()
            try:
                if unknown := set(request.query_params) - HINTS:
                    raise Problem(400, f"the parameter {min(unknown)} is not supported")
                return await handler(request)
            except RequestValidationError as error:
                return _failed(request, Problem(400, explain(error.errors())))
            except HTTPException as error:  # FastAPI's own, for a body that it cannot read
                return _failed(request, Problem(error.status_code, str(error.detail)))
            except Exception as error:
                problem = problem_of(error)
                if problem is None:
                    raise
                return _failed(request, problem)

        return answer


def result(request: Request, value: Any) -> Response:
    """A successful answer."""
    return respond(request, {"result": value, "status": "ok", "time": _seconds(request)})


def _failed(request: Request, problem: Problem) -> Response:
    status = 400 if problem.status == 422 else problem.status
    sentence = "; ".join(filter(None, (problem.detail, problem.action)))
    body = {"status": {"error": sentence}, "time": _seconds(request)}
    return Response(orjson.dumps(body), status, problem.headers, "application/json")


def _seconds(request: Request) -> float:
    return time.perf_counter() - request.state.began
