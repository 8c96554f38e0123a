"""Everything below `/collections` that is not answered: writes are a 405, other requests a 400 that names them."""

import re

from fastapi import APIRouter, Request, Response

from audioae.serve.problems import Problem
from audioae.serve.qdrant.answers import QdrantRoute

router = APIRouter(route_class=QdrantRoute, include_in_schema=False)

WRITES = re.compile(r".*/(points/(delete|batch|payload.*|vectors.*)|snapshots.*|cluster|shards.*)|aliases")


@router.api_route("/collections/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def refuse(request: Request, path: str) -> Response:
    """Say what is not supported."""
    asked = f"{request.method} /collections/{path}"
    if request.method in ("PUT", "PATCH", "DELETE") or (request.method == "POST" and WRITES.fullmatch(path)):
        raise Problem(
            405,
            f"{asked} is not supported: the collection is read only",
            action="tracks come in by audioae run",
            headers={"Allow": "GET, POST"},
        )
    raise Problem(400, f"{asked} is not supported")
