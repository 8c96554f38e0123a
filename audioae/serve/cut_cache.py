"""What was cut from tracks, on disk: a bounded folder that all processes of this machine share.

Conventions
-----------
- A file is one cut: a line of JSON about it, then its bytes. It appears when it is complete, and never changes.
- The least recently used files go first. The use is the time of access, which `get` sets; the time of modification is
  when the cut was made.
- The bound may be passed by 1/32 for each process, which looks at the folder only after it has written that much.
- The folder may be deleted at any time. One that cannot be written is a cache that keeps nothing.
"""

import contextlib
import json
import logging
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioae.store.storage import UNFINISHED

_log = logging.getLogger(__name__)

_ROOM = 0.9  # of the bound, after files were deleted
_FORGOTTEN_S = 3600.0  # an unfinished file of a killed process


@dataclass(frozen=True)
class Kept:
    """A cut: what is known about it, its bytes, and when it was made (seconds since 1970)."""

    about: dict[str, Any]
    content: bytes
    made_at: float


class CutCache:
    """A folder of cuts.

    Parameters
    ----------
    folder : Path
        Made when it is needed.
    max_bytes : int
    """

    def __init__(self, folder: Path, max_bytes: int):
        self._folder, self._max_bytes = folder, max_bytes
        self._written = max_bytes  # look at the folder once at the start
        self._has_warned = False

    def get(self, key: str) -> Kept | None:
        """The cut of this name, None if it is not there."""
        path = self._folder / key
        try:
            with path.open("rb") as file:
                made_at = os.fstat(file.fileno()).st_mtime
                about, content = json.loads(file.readline()), file.read()
            os.utime(path, (time.time(), made_at))
        except (OSError, ValueError):
            return None
        return Kept(about, content, made_at)

    def put(self, key: str, about: dict[str, Any], content: bytes) -> Kept:
        """Keep a cut; where that is impossible, it is only returned."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = self._folder / f"{UNFINISHED}{secrets.token_hex(6)}"
            try:
                temporary.write_bytes(json.dumps(about).encode() + b"\n" + content)
                temporary.replace(self._folder / key)
            finally:
                temporary.unlink(missing_ok=True)
            self._written += len(content)
            if self._written > self._max_bytes / 32:
                self._written = 0
                self._make_room()
        except OSError as error:
            if not self._has_warned:
                _log.warning("%s: clips are not kept (%s); see AUDIOAE_CACHE", self._folder, error.strerror)
            self._has_warned = True
        return Kept(about, content, time.time())

    def _make_room(self) -> None:
        """Delete the least recently used files if the folder is larger than its bound."""
        files, total, now = [], 0, time.time()
        for entry in os.scandir(self._folder):
            with contextlib.suppress(FileNotFoundError):  # another process makes room at the same time
                status = entry.stat(follow_symlinks=False)
                if not entry.name.startswith(UNFINISHED):
                    files.append((status.st_atime, status.st_size, entry.path))
                    total += status.st_size
                elif now - status.st_mtime > _FORGOTTEN_S:
                    os.unlink(entry.path)
        if total <= self._max_bytes:
            return
        for _, size, path in sorted(files):
            if total <= _ROOM * self._max_bytes:
                return
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            total -= size
