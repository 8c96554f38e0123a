r"""Paths of files: the bytes that open one, and the text that people read.

Conventions
-----------
- Inside a process a path is a `str` as `os.fsdecode` makes it: bytes that are not UTF-8 are lone surrogates, and it
  opens its file.
- In the store, `uri` is the displayed form, which is always valid Unicode: `caf\xe9.mp3`. Where it is not the path
  itself, `path_bytes` is; else that is null.
"""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from audioae.display import shown


def displayed(path: str) -> str:
    r"""A path as valid Unicode: bytes that are not UTF-8 are written like \xe9.

    >>> displayed(os.fsdecode(b"caf\xe9.mp3")) == r"caf\xe9.mp3", displayed("café.mp3")
    (True, 'café.mp3')
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def printable(path: str) -> str:
    r"""A path in a message: displayed, and escaped as in `audioae.display`.

    >>> printable("a\nb"), printable("café.mp3")
    ('a\\nb', 'café.mp3')
    """
    return shown(displayed(path), None)


def address_of(path: str) -> str:
    """How a playlist names a file: its path, or a `file:` address if a line of UTF-8 text cannot hold the path.

    >>> address_of("/a/café.mp3"), address_of(os.fsdecode(b"/a/caf\\xe9.mp3"))
    ('/a/café.mp3', 'file:///a/caf%E9.mp3')
    """
    return path if shown(path, None) == path else f"file://{quote(os.fsencode(path))}"


def bytes_of(path: str) -> bytes | None:
    """The bytes of a path whose displayed form is not the path; else None."""
    return None if displayed(path) == path else os.fsencode(path)


def path_of(row: Mapping[str, Any]) -> str:
    """The path to open of one row of `tracks`, with its `uri` and `path_bytes`."""
    return os.fsdecode(row["path_bytes"]) if row["path_bytes"] else row["uri"]


def paths_of(tracks: pa.Table) -> list[str]:
    """The paths to open, of all rows of `tracks`; it needs the columns `uri` and `path_bytes`."""
    uris = tracks["uri"].to_pylist()
    if tracks["path_bytes"].null_count == len(uris):
        return uris
    return [
        os.fsdecode(content) if content else uri
        for uri, content in zip(uris, tracks["path_bytes"].to_pylist(), strict=True)
    ]
