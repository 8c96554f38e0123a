"""`GET /v1/tracks/{track_id}/audio`: the file of a track as it is, or parts of it, where the server allows that.

Conventions
-----------
- Off by default: `audio: files` in the settings turns it on.
- A remote file is passed on by ranges, without a copy here.
- A file is only ever audio or video to a browser, or bytes to be stored: never a page.
"""

import io
import mimetypes
import os
import stat
from collections.abc import AsyncIterator
from pathlib import PurePath
from typing import IO, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from audioae.audio.remote import is_remote
from audioae.audio.remote_ranges import BUFFER, RangeFile
from audioae.errors import AudioError
from audioae.library.records import Track
from audioae.serve.explore.cut_answers import CACHED, TrackId, fault, track_of
from audioae.serve.explore.ranges import choose
from audioae.serve.problems import Problem
from audioae.serve.requests import service_of

router = APIRouter(prefix="/v1", tags=["explorer"])

BLOCK = 1 << 18
_BYTES = "application/octet-stream"
_OTHER_TYPES = {
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".opus": "audio/ogg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
}
_FILE = {"content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}}


class _Opened(NamedTuple):
    """A file that is read, its size in bytes, and when it was written (seconds since 1970)."""

    file: IO[bytes]
    size: int
    modified_at: float


@router.head("/tracks/{track_id}/audio", include_in_schema=False)
@router.get("/tracks/{track_id}/audio", responses={200: _FILE, 206: _FILE, 403: {}, 404: {}}, response_class=Response)
async def audio(request: Request, track_id: TrackId) -> Response:
    """The whole file of a track, or a range of it; only on a server that allows it."""
    service = service_of(request)
    if service.config.audio != "files":
        raise Problem(
            403,
            "this server gives no whole files",
            action="start it with `--audio files`, or ask for a clip",
            kind="no-audio",
        )
    track, run = track_of(request, track_id), service.pools["files"].run
    try:
        opened = await run(lambda: _open(track.path))
    except OSError as error:
        raise fault(track, AudioError("unreadable", error.strerror or str(error))) from error
    try:
        etag = track.content_hash if is_remote(track.path) and track.content_hash else _tag(opened)
        chosen = choose(request.headers, opened.size, etag, opened.modified_at)
    except Problem:
        opened.file.close()
        raise
    headers = {**CACHED, **chosen.headers, "Content-Disposition": _disposition(track)}

    async def blocks() -> AsyncIterator[bytes]:
        position = chosen.start
        try:
            while position < chosen.stop:
                block = await run(lambda at=position: _read(opened.file, at, min(BLOCK, chosen.stop - at)))
                if not block:
                    return  # it became shorter; the connection ends, and the client notices
                position += len(block)
                yield block
        finally:
            opened.file.close()

    if request.method == "HEAD" or chosen.start == chosen.stop:
        opened.file.close()
        return Response(None, chosen.status, headers, media_type=media_type(track.uri or ""))
    return StreamingResponse(blocks(), chosen.status, headers, media_type=media_type(track.uri or ""))


def media_type(name: str) -> str:
    """The media type of a file, as browsers expect it.

    >>> media_type("a.FLAC"), media_type("a.mp3"), media_type("a.html"), media_type("a")
    ('audio/flac', 'audio/mpeg', 'application/octet-stream', 'application/octet-stream')
    """
    suffix = PurePath(name).suffix.lower()
    kind = _OTHER_TYPES.get(suffix) or mimetypes.types_map.get(suffix, _BYTES)
    return kind if kind.startswith(("audio/", "video/")) else _BYTES


def _open(path: str) -> _Opened:
    if is_remote(path):
        file = RangeFile(path)
        return _Opened(io.BufferedReader(file, BUFFER), file.size, 0.0)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a fifo would wait for its writer
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError("a folder, fifo or device; wanted an audio file")
    return _Opened(open(descriptor, "rb", buffering=0), status.st_size, status.st_mtime)


def _read(file: IO[bytes], position: int, n: int) -> bytes:
    file.seek(position)
    return file.read(n)


def _tag(opened: _Opened) -> str:
    return f"{opened.size:x}-{opened.modified_at:.6f}"


def _disposition(track: Track) -> str:
    name = PurePath(track.uri or "audio").name
    return f"inline; filename*=UTF-8''{quote(name, safe='')}"
