"""`GET /livez` and `GET /readyz`: whether the process answers, and whether the index does.

Convention: a server listens only after its index has answered queries of its own (`library.self_check`); until then a
probe finds a closed port. While it shuts down, it is alive and not ready.
"""

from fastapi import APIRouter, Request, Response

from audioae.serve.problems import Problem
from audioae.serve.requests import respond, service_of

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Response:
    """The process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/readyz", responses={503: {}})
async def readyz(request: Request) -> Response:
    """The index has answered a query of its own, and the server is not shutting down."""
    if service_of(request).stopping:
        raise Problem(503, "the server is shutting down", kind="stopping", headers={"Retry-After": "1"})
    return respond(request, {"status": "ok"})
