"""Files that a person names: whole under their name, or not there.

Convention: a file is written next to its place under another name, and moved when it is whole. What cannot be replaced,
such as /dev/stdout or a pipe, is written directly.

Why: a killed command must not leave half a page or half a list where a whole one is expected, or was.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give the path to write to; when the block ends without an error, it becomes the file `path`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        yield target
        return
    target = Path(os.path.realpath(path))
    unfinished = target.with_name(f".unfinished-{secrets.token_hex(6)}")
    try:
        yield unfinished
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a whole file; text as UTF-8. Raises `OSError` if it cannot be written."""
    with whole_file(path) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
