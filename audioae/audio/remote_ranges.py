"""A remote file of which only some ranges are read, such as those of its tags.

Conventions
-----------
- `RangeFile` is a raw file: `io.BufferedReader(RangeFile(uri), BUFFER)` makes a request per 64 KiB that are read.
- On a web server that ignores ranges, each read would fetch the file from its beginning: an `OSError` says so.
"""

import io
import os
import urllib.request
from typing import Any

from audioae.audio.remote import TIMEOUT_S, filesystem_of
from audioae.errors import AudioError
from audioae.web import open_web

BUFFER = 1 << 16


class RangeFile(io.RawIOBase):
    """Read ranges of a remote file.

    Parameters
    ----------
    uri : str

    Raises
    ------
    OSError
        If it cannot be opened, or later if a range cannot be read.
    """

    def __init__(self, uri: str):
        super().__init__()
        self.name = self._uri = uri
        self._position = 0
        self._object: Any = None
        if uri.startswith("http"):
            request = urllib.request.Request(uri, method="HEAD")
            with open_web(request, TIMEOUT_S) as answer:
                self.size = int(answer.headers.get("Content-Length") or 0)
            return
        try:
            filesystem, path = filesystem_of(uri)
        except AudioError as error:
            raise OSError(error.detail) from None
        self._object = filesystem.open_input_file(path)
        self.size = int(self._object.size())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        stop = min(self._position + len(buffer), self.size)
        content = self._range(self._position, stop) if stop > self._position else b""
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def close(self) -> None:
        if self._object is not None:
            self._object.close()
        super().close()

    def _range(self, start: int, stop: int) -> bytes:
        if self._object is not None:
            return self._object.read_at(stop - start, start)
        request = urllib.request.Request(self._uri, headers={"Range": f"bytes={start}-{stop - 1}"})
        with open_web(request, TIMEOUT_S) as answer:
            if answer.status != 206 and (start, stop) != (0, self.size):
                raise OSError(f"{self._uri}: the server answers a request for a range with the whole file")
            return answer.read(stop - start)
