"""Bytes under keys, in a local folder or in an S3 bucket: everything that the store needs of a medium.

Conventions
-----------
- A key is a relative path with `/`. A reader sees a key's old bytes or its new bytes, never a mixture. Locally, content
  is written to a temporary file, synced to disk and renamed. On S3 an upload becomes visible when it is complete.
- A file or folder whose name starts with `.tmp-` is unfinished, and never listed as content.
- The root is a path, or `s3://bucket/prefix`. Credentials, region and endpoint come from the usual `AWS_*` variables,
  or from the query of the URI (`?endpoint_override=127.0.0.1:9000&scheme=http`).

Why pyarrow's filesystems: they come with the package that reads Parquet, and the store needs no operation of an object
store but put, get, list and delete. It needs no conditional put: a manifest is named by the hash of its content.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import fs as pafs

from audioae.errors import DamageError, StoreError
from audioae.store.s3 import explain, no_bucket, open_s3

BLOCK = 1 << 24  # bytes read at once from a file of any size; on S3 each read is a request
UNFINISHED = ".tmp-"


class Entry(NamedTuple):
    """An object in a listing: when it was written, and its size in bytes."""

    time: datetime
    size: int


class Storage:
    """Atomic reads and writes of whole objects under one root.

    Parameters
    ----------
    root : str or Path
        A folder (created by the first write) or `s3://bucket/prefix`.

    Raises
    ------
    StoreError
        From every method, if the medium fails; the message names the object and says what to do.
    """

    def __init__(self, root: str | Path):
        self.root = str(root)
        self.is_local = "://" not in self.root
        if self.is_local:
            self.filesystem: pafs.FileSystem = pafs.LocalFileSystem(use_mmap=True)
            self._base = str(Path(self.root).expanduser().absolute())
            return
        with explained(self.root):
            self.filesystem, self._base = open_s3(self.root)

    def path(self, key: str) -> str:
        """The path of `key` in the underlying filesystem. Raises `StoreError` if it leads out of the store."""
        if key.startswith("/") or ".." in key.split("/") or "\0" in key:
            raise StoreError(f"{key!r} leads out of the store {self.root}; wanted the name of a dataset and a version")
        return f"{self._base}/{key}" if key else self._base

    def locate(self, key: str) -> str:
        """The path or `s3://` address of `key`, for messages and for other tools."""
        return self.path(key) if self.is_local else f"{self.root.partition('?')[0].rstrip('/')}/{key}"

    def write(self, key: str, content: bytes | pa.Buffer) -> None:
        """Store `content` under `key`, all or nothing; it replaces earlier content."""
        with explained(self.locate(key)):
            if self.is_local:
                _write_local(Path(self.path(key)), content)
            else:
                with self.filesystem.open_output_stream(self.path(key)) as stream:
                    stream.write(content)

    def move_file(self, key: str, source: Path) -> None:
        """Store a local file under `key`, all or nothing, without reading it into memory. The file itself is moved."""
        with explained(self.locate(key)):
            if self.is_local:
                _move_local(Path(self.path(key)), source)
                return
            try:
                with source.open("rb") as stream, self.filesystem.open_output_stream(self.path(key)) as target:
                    while block := stream.read(BLOCK):
                        target.write(block)
            except BaseException:  # closing the stream has completed the upload of what was written until then
                self.delete(key)
                raise
            source.unlink()

    @contextlib.contextmanager
    def staging(self, prefix: str, remote: Path) -> Iterator[Path]:
        """A new local folder for files that `move_file` will store below `prefix`; deleted on exit.

        It is on the same disk as a local store, so that moving costs nothing; for a remote store it is in `remote`.
        """
        parent = Path(self.path(prefix)) if self.is_local else remote
        with explained(str(parent)):
            parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def read(self, key: str) -> bytes:
        """The bytes under `key`."""
        with self.open(key) as stream:
            return stream.read()

    @contextlib.contextmanager
    def open(self, key: str, *, mapped: bool = True) -> Iterator[pa.NativeFile]:
        """A random-access file on `key`, memory-mapped if it is local.

        A mapped file that was read counts as memory of the process: large files are read with `mapped=False`.
        """
        filesystem = pafs.LocalFileSystem() if self.is_local and not mapped else self.filesystem
        with explained(self.locate(key)), filesystem.open_input_file(self.path(key)) as stream:
            yield stream

    def sha256(self, key: str) -> str:
        """SHA-256 of the bytes under `key`, read in blocks."""
        digest = hashlib.sha256()
        with self.open(key, mapped=False) as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def size(self, key: str) -> int | None:
        """Number of bytes under `key`, or None if there is no such object."""
        with explained(self.locate(key)):
            info = self.filesystem.get_file_info(self.path(key))
        return info.size if info.type == pafs.FileType.File else None

    def exists(self, key: str) -> bool:
        return self.size(key) is not None

    def list(self, prefix: str) -> dict[str, Entry]:
        """Keys below the folder `prefix`, at any depth, without unfinished files."""
        return self._list(prefix, unfinished=False)

    def list_unfinished(self, prefix: str) -> dict[str, Entry]:
        """Keys of the unfinished files below `prefix`: of writes in progress, and of writes that were killed."""
        return self._list(prefix, unfinished=True)

    def _list(self, prefix: str, unfinished: bool) -> dict[str, Entry]:
        selector = pafs.FileSelector(self.path(prefix), allow_not_found=True, recursive=True)
        with explained(self.locate(prefix)):
            infos = self.filesystem.get_file_info(selector)
        start = len(self._base) + 1
        return {
            info.path[start:]: Entry(info.mtime or datetime.fromtimestamp(0, UTC), info.size)
            for info in infos
            if info.type == pafs.FileType.File and (f"/{UNFINISHED}" in info.path[start - 1 :]) == unfinished
        }

    def delete(self, key: str) -> None:
        """Remove `key`; no error if there is no such object."""
        with explained(self.locate(key)), contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_file(self.path(key))
        folder = key.rpartition("/")[0]
        if self.is_local and f"/{UNFINISHED}" in folder:
            with contextlib.suppress(OSError):  # it is not empty yet
                os.rmdir(self.path(folder))

    def move(self, key: str, target: str) -> None:
        """Give the object `key` the new key `target`, and the present as its time of writing."""
        with explained(self.locate(key)):
            if self.is_local:
                path = Path(self.path(target))
                path.parent.mkdir(parents=True, exist_ok=True)
                os.utime(self.path(key))
                Path(self.path(key)).replace(path)
                _sync(path.parent)
            else:
                self.filesystem.copy_file(self.path(key), self.path(target))
                self.filesystem.delete_file(self.path(key))

    def check_bucket(self) -> None:
        """Raise `StoreError` if the bucket of a remote store does not exist."""
        if not self.is_local:
            with explained(self.root):
                found = self.filesystem.get_file_info(self._base.split("/", 1)[0]).type
            if found == pafs.FileType.NotFound:
                raise StoreError(no_bucket(self.locate("")))


def _write_local(path: Path, content: bytes | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{UNFINISHED}{secrets.token_hex(6)}"
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _move_local(path: Path, source: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _sync(source)
    source.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn the errors of a filesystem into a `StoreError` that says where and what to do."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamageError(
            f"{where}: no such object in the store; it may have been pruned, or the root of the store may be wrong"
        ) from error
    except OSError as error:
        if message := explain(where, error):
            raise StoreError(message) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StoreError(
                f"{where}: no space left ({error.strerror}); nothing was published. Free space and run again: "
                "finished shards are kept"
            ) from error
        raise StoreError(f"{where}: {error}; check that the root exists and can be read and written") from error
    except pa.ArrowInvalid as error:
        raise StoreError(f"{where}: {error}; wanted a folder or s3://bucket/prefix") from error
