"""`GET /livez` and `GET /readyz`: whether the process answers, and whether the index does."""

from fastapi import APIRouter, Request, Response

from audioae.serve.requests import respond

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Response:
    """The process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """The index has answered a query of its own."""
    return respond(request, {"status": "ok"})
