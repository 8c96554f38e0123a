"""Local copies of a remote store's large files, and files derived from a store, for readers that map them into memory.

Conventions
-----------
- The folder is `AUDIOAE_CACHE`, or else `audioae/files` in the user's cache folder (`XDG_CACHE_HOME`, or `~/.cache`).
- A copy is named by the SHA-256 of its content, and that content is verified while it is downloaded. So a file is
  downloaded once per machine, whichever store, version or process needs it.
- A folder of derived files is named by what it was derived from. It appears when it is complete; one process makes it
  while others that want the same folder wait; each folder has its own lock. It is made again if a file of it is
  missing or has another size.
- What was not used for `KEPT_FOR` is deleted when the next is made. The whole folder may be deleted at any time: a
  process that has mapped a file keeps it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from audioae.errors import DamageError
from audioae.store.storage import BLOCK, UNFINISHED, Storage, explained

KEPT_FOR = 14 * 86400.0  # seconds
SIZES = "sizes.json"


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


def cached_folder(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of files that `make` writes into an empty folder, made if there is none of this name.

    Raises
    ------
    OSError
        If the cache folder cannot be written.
    """
    folder = cache_folder() / name
    if not _is_complete(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            if not _is_complete(folder):  # or else another process has made it
                _delete_unused(folder.parent)
                _make(folder, make)
    with contextlib.suppress(OSError):  # somebody else's cache can be read too
        os.utime(folder)
    return folder


def is_cached(name: str) -> bool:
    """Whether `cached_folder` has a complete folder of this name."""
    return _is_complete(cache_folder() / name)


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    temporary = folder.with_name(f"{UNFINISHED}{secrets.token_hex(6)}")
    try:
        temporary.mkdir()
        make(temporary)
        sizes = {path.name: path.stat().st_size for path in temporary.iterdir()}
        (temporary / SIZES).write_text(json.dumps(sizes))
        for path in temporary.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if folder.exists():
            folder.rename(temporary.with_name(f"{temporary.name}-damaged"))
        temporary.rename(folder)
    finally:
        for path in temporary.parent.glob(f"{temporary.name}*"):
            shutil.rmtree(path, ignore_errors=True)


def _is_complete(folder: Path) -> bool:
    try:
        sizes = json.loads((folder / SIZES).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process, or thread, at a time; where the file system has no locks, the same files are made twice."""
    descriptor = os.open(folder.with_name(f".{folder.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


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
    """Delete what no process used for `KEPT_FOR`, and what killed processes left unfinished."""
    oldest = time.time() - KEPT_FOR
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process may delete it at the same time
            if path.stat().st_mtime >= oldest:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
