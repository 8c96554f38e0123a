"""One uploaded audio file: written to a folder of its own while it arrives, and removed with the request.

Conventions
-----------
- The file is the part `file` of a form (`multipart/form-data`), which may also have a part `options`; or it is the
  whole body (`audio/*`, `video/*`, `application/octet-stream`).
- The client's name of the file is only shown. On disk the file has a name of ours, with the suffix of the client's name
  if that is one of audio or video: some decoders look at it.
- Only so many uploads arrive or wait at a time; one more is refused before its body is read.
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import UploadFile
from starlette.requests import Request

from audioae.audio.suffixes import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from audioae.display import shown
from audioae.serve.pools import QueueFullError
from audioae.serve.problems import Problem

FORM = "multipart/form-data"
RAW = re.compile(r"(audio|video)/[a-z0-9.+-]+|application/octet-stream")
MOST_OPTIONS = 8 << 20  # bytes: a list of 200,000 IDs is larger than starlette's 1 MiB
_BLOCK = 1 << 20
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Upload:
    """A file that has arrived: where it is, what the client calls it, and the part `options`."""

    path: Path
    name: str
    options: str | None = None


class Uploads:
    """The uploads of one process.

    Parameters
    ----------
    most : int
        How many may arrive or wait at a time.
    """

    def __init__(self, most: int):
        self._most = most
        self._n = 0

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[Upload]:
        """Read the request's file. It exists as long as the block runs.

        Raises
        ------
        QueueFullError
            If too many uploads arrive or wait.
        Problem
            If the request is none of an upload.
        """
        if self._n >= self._most:
            raise QueueFullError("upload", self._most)
        self._n += 1
        folder = tempfile.mkdtemp(prefix="audioae-upload-")  # mode 0700
        try:
            media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media == FORM:
                yield await _from_form(request, Path(folder))
            elif RAW.fullmatch(media):
                yield await _from_body(request, Path(folder))
            else:
                raise Problem(415, f"a body of type {shown(media, 100)!r}, wanted {FORM} or audio/*")
        finally:
            self._n -= 1
            shutil.rmtree(folder, ignore_errors=True)


async def _from_form(request: Request, folder: Path) -> Upload:
    async with request.form(max_files=1, max_fields=1, max_part_size=MOST_OPTIONS) as form:
        file, options = form.get("file"), form.get("options")
        if unknown := form.keys() - {"file", "options"}:
            raise Problem(422, "a part that is neither file nor options", where=shown(min(unknown), 100))
        if not isinstance(file, UploadFile):
            raise Problem(422, "no file in the form", where="file", action="curl sends one by -F file=@song.mp3")
        name = _shown_name(file.filename or "")
        path = folder / f"upload{_suffix(name)}"
        await asyncio.to_thread(_copy, file, path)
        return Upload(path, name, options if isinstance(options, str) else None)  # there is one file at most


async def _from_body(request: Request, folder: Path) -> Upload:
    path, waiting = folder / "upload", bytearray()
    with path.open("wb") as file:
        async for block in request.stream():
            waiting += block
            if len(waiting) >= _BLOCK:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))
    return Upload(path, "upload", request.query_params.get("options"))


def _copy(file: UploadFile, path: Path) -> None:
    with path.open("wb") as copy:
        shutil.copyfileobj(file.file, copy, _BLOCK)


def _shown_name(name: str) -> str:
    r"""The last part of a client's name of a file, as it may be shown.

    >>> _shown_name("C:\\Music\\a.mp3"), _shown_name("../../etc/passwd"), _shown_name("\x1b[2J.mp3"), _shown_name("")
    ('a.mp3', 'passwd', '\\x1b[2J.mp3', 'upload')
    """
    return shown(re.split(r"[/\\]", name)[-1], _LONGEST_NAME) or "upload"


def _suffix(name: str) -> str:
    """
    >>> _suffix("a.MP3"), _suffix("a.exe"), _suffix("mp3")
    ('.mp3', '', '')
    """
    suffix = Path(name).suffix.lower()
    return suffix if suffix in AUDIO_SUFFIXES or suffix in VIDEO_SUFFIXES else ""
