"""`GET /v1/index`: which index answers, and how good it is; `POST /v1/index:reload`: answer from another one."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from audioae.errors import AudioaeError
from audioae.serve.models import Body
from audioae.serve.problems import Problem, problem_of
from audioae.serve.requests import require_admin, respond, served_of, service_of

router = APIRouter(prefix="/v1", tags=["index"])


class IndexAnswer(BaseModel):
    """The index that answers; `gate` is what was measured before it was published."""

    index: str
    model: str
    factory: str
    n: int
    gate: dict
    pinned: bool
    published_at: datetime | None
    loaded_at: datetime
    age_s: float


class ReloadRequest(Body):
    """A version to serve and stay with; without one, the newest, also when the next one is published (`--follow`)."""

    index: Annotated[str, Field(pattern=r"^index@\w[\w-]{0,99}$", examples=["index@3f2a91c03f2a"])] | None = None


class ReloadAnswer(BaseModel):
    """The index before and after; they are the same if there was nothing newer."""

    from_: Annotated[str, Field(alias="from")]
    to: str


@router.get("/index", responses={200: {"model": IndexAnswer}})
async def index(request: Request) -> Response:
    """Version, model, kind, size, gate and age of the index."""
    served = served_of(request)
    return respond(
        request,
        {
            "factory": served.library.index.factory,
            "n": len(served.library.index),
            "gate": served.gate,
            "pinned": service_of(request).generations.pinned,
            "published_at": served.published_at,
            "loaded_at": served.loaded_at,
            "age_s": round(served.age_s, 3),
        },
    )


@router.post("/index:reload", responses={200: {"model": ReloadAnswer}, 403: {}, 409: {}})
async def reload(request: Request, body: ReloadRequest | None = None) -> Response:
    """Serve the newest index, or a named one. If it fails its checks, the old one stays, and the answer is 409."""
    require_admin(request)
    try:
        before, after = await service_of(request).reload(body.index if body else None)
    except AudioaeError as error:
        problem = problem_of(error)
        assert problem is not None
        raise Problem(409, problem.detail, action=problem.action, kind="reload-failed") from error
    request.scope["state"].pop("served", None)
    return respond(request, {"from": before, "to": after})
