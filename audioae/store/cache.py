"""Local copies of a remote store's large files, for readers that map files into memory.

Conventions
-----------
- The folder is `AUDIOAE_CACHE`, or else `audioae/files` in the user's cache folder (`XDG_CACHE_HOME`, or `~/.cache`).
- A copy is named by the SHA-256 of its content, and that content is verified while it is downloaded. So a file is
  downloaded once per machine, whichever store, version or process needs it.
- A copy that was not used for `KEPT_FOR` is deleted with the next download. The whole folder may be deleted at any
  time: a process that has mapped a file keeps it.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from pathlib import Path

from audioae.errors import DamageError
from audioae.store.storage import BLOCK, UNFINISHED, Storage, explained

KEPT_FOR = 14 * 86400.0  # seconds


def cache_folder() -> Path:
    """Where local copies are kept."""
    if folder := os.environ.get("AUDIOAE_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "audioae" / "files"


def cached_file(storage: Storage, key: str, sha256: str, n_bytes: int) -> Path:
    """A local copy of `key`, downloaded if there is none of this size.

    Raises
    ------
    StoreError
        If the content of `key` does not have this SHA-256, or the cache folder cannot be written.
    """
    folder = cache_folder()
    path = folder / sha256
    with explained(str(path)):
        if path.is_file() and path.stat().st_size == n_bytes:
            os.utime(path)
            return path
        folder.mkdir(parents=True, exist_ok=True)
        _delete_unused(folder)
        temporary = folder / f"{UNFINISHED}{secrets.token_hex(6)}"
        try:
            _download(storage, key, sha256, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return path


def _download(storage: Storage, key: str, sha256: str, path: Path) -> None:
    digest = hashlib.sha256()
    with storage.open(key) as source, path.open("wb") as target:
        while block := source.read(BLOCK):
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != sha256:
        raise DamageError(
            f"{storage.locate(key)}: got content with sha256 {digest.hexdigest()[:12]}, the manifest says "
            f"{sha256[:12]}; `audioae fsck --repair` sets it aside, then run again or roll back"
        )


def _delete_unused(folder: Path) -> None:
    """Delete copies that no process used for `KEPT_FOR`, and what killed processes left unfinished."""
    oldest = time.time() - KEPT_FOR
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process may delete it at the same time
            if path.stat().st_mtime >= oldest:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
