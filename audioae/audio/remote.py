"""Files that are not on this machine: fetched into memory for as long as they are used.

Conventions
-----------
- A remote file is named by its URI: s3://, gs://, az:// (or abfs://, abfss://), http:// or https://. Everything else is
  a path. Credentials, region and endpoint come from the usual variables of each service (`AWS_*`,
  `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_*`), never from a URI: URIs are stored and shown.
- `local_file` gives a path that any decoder opens. The bytes are in memory (a memfd), and gone when the block ends. A
  file above `LARGEST` is not fetched.
- What goes wrong on the way is an `AudioError` "unreadable": a failure of the moment, which a later run tries again.

Why the whole file: a decoder reads it from end to end for the evidence of faults up to `decode.whole_up_to_s`, and of
an mp3 or ogg the frames are counted in any case. Ranges would save nothing there, and cost a request each. A prefetch
is bounded by the number of workers: each holds one file.
"""

import contextlib
import email.utils
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from audioae.errors import AudioError
from audioae.web import open_web

SCHEMES = ("s3", "gs", "az", "abfs", "abfss", "http", "https")
LARGEST = 2 << 30
BLOCK = 1 << 20
TIMEOUT_S = 30.0
_URI = re.compile(rf"({'|'.join(SCHEMES)})://", re.ASCII)


def is_remote(path: str | Path) -> bool:
    """Whether a name is the URI of a remote file.

    >>> is_remote("s3://bucket/a.mp3"), is_remote("/music/s3:/a.mp3"), is_remote("C://a.mp3")
    (True, False, False)
    """
    return bool(_URI.match(str(path)))


@contextlib.contextmanager
def local_file(path: str | Path) -> Iterator[Path]:
    """A path that opens the file: `path` itself, or that of a copy in memory of a remote file.

    Raises
    ------
    AudioError
        "unreadable" if a remote file cannot be fetched.
    """
    if not is_remote(path):
        yield Path(path)
        return
    descriptor = os.memfd_create("audioae")
    try:
        _fetch(str(path), descriptor)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def filesystem_of(uri: str) -> tuple[Any, str]:
    """The pyarrow filesystem of a URI (not http), and the path in it.

    Raises
    ------
    AudioError
        "unreadable" if there is no such bucket, or the URI is none.
    """
    if "?" in uri:
        raise AudioError(
            "unreadable", f"{uri.partition('?')[0]}: got a URI with a query; set the endpoint by AWS_ENDPOINT_URL"
        )
    scheme, _, rest = uri.partition("://")
    bucket, _, _ = rest.partition("/")
    try:
        filesystem, _ = _filesystem("abfs" if scheme == "az" else scheme, bucket)
    except (OSError, ValueError) as error:
        raise AudioError("unreadable", f"{uri}: {error}") from None
    return filesystem, rest


@lru_cache(maxsize=16)
def _filesystem(scheme: str, bucket: str) -> tuple[Any, str]:
    from pyarrow import fs as pafs

    return pafs.FileSystem.from_uri(f"{scheme}://{bucket}")


def stat_remote(uri: str) -> tuple[int | None, int | None]:
    """Size in bytes and time of modification (nanoseconds since 1970) of a remote file; None where nobody tells.

    Both are None if there is no such file.

    Raises
    ------
    AudioError
        "unreadable" if it cannot be asked for.
    """
    try:
        if uri.startswith("http"):
            return _head(uri)
        filesystem, path = filesystem_of(uri)
        info = filesystem.get_file_info(path)
    except OSError as error:
        raise AudioError("unreadable", f"{uri}: {getattr(error, 'reason', error)}") from None
    return (info.size, info.mtime_ns) if info.is_file else (None, None)


def _head(uri: str) -> tuple[int | None, int | None]:
    try:
        with open_web(urllib.request.Request(uri, method="HEAD"), TIMEOUT_S) as answer:
            size, time = answer.headers.get("Content-Length"), answer.headers.get("Last-Modified")
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            return None, None
        raise
    modified = int(email.utils.parsedate_to_datetime(time).timestamp()) * 10**9 if time else None
    return int(size) if size else None, modified


def forget_filesystems() -> None:
    """Open connections anew: the variables of the environment may have changed."""
    _filesystem.cache_clear()


def _fetch(uri: str, descriptor: int) -> None:
    """Write the bytes of a remote file to an open descriptor."""
    try:
        with _opened(uri) as source, open(descriptor, "wb", closefd=False) as target:
            size = 0
            while block := source.read(BLOCK):
                size += len(block)
                if size > LARGEST:
                    raise AudioError("too_large", f"{uri}: more than {LARGEST >> 30} GiB")
                target.write(block)
    except urllib.error.HTTPError as error:
        raise AudioError("unreadable", f"{uri}: the server answered {error.code} {error.reason}") from None
    except OSError as error:  # URLError and time-outs are some, too
        raise AudioError("unreadable", f"{uri}: {getattr(error, 'reason', error)}") from None


def _opened(uri: str) -> IO[bytes]:
    """A stream of the bytes of a remote file."""
    if uri.startswith("http"):
        return open_web(uri, TIMEOUT_S)
    filesystem, path = filesystem_of(uri)
    return filesystem.open_input_stream(path)
