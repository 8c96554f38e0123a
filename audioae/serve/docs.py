"""`GET /docs`: the API as a page on which every request can be tried; its files come from this server.

Why not FastAPI's own page: it loads Swagger UI from a public host, so it stays empty where a server cannot reach one,
and lets that host see who reads it.
"""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Response

from audioae.serve.problems import Problem

PATH = "/docs"
router = APIRouter(prefix=PATH, include_in_schema=False)

_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>audioae: the API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
})
"""


@router.get("")
async def page() -> Response:
    """The page. Its addresses are relative: it also works behind a proxy that serves it below a path."""
    return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _POLICY})


@router.get("/start.js")
async def start() -> Response:
    return Response(_START, media_type="text/javascript")


@router.get("/{name}")
async def asset(name: str) -> Response:
    """A file of Swagger UI."""
    if name not in _TYPES:
        raise Problem(404, f"no file {name!r} of this page")
    return Response(_content(name), media_type=_TYPES[name], headers={"Cache-Control": "max-age=3600"})


@cache
def _content(name: str) -> bytes:
    return (files("fastapi_swagger") / "resources" / name).read_bytes()
