"""Bytes under keys, in a local folder or in an S3 bucket: the one protocol that the store stands on.

Conventions
-----------
- A key is a relative path with `/`. A reader sees a key's old bytes or its new bytes, never a part of them:
  locally by a temporary file, fsync and rename in the same folder; on S3 by one upload, visible when complete.
- The root is a path, or `s3://bucket/prefix`; credentials, region and endpoint come from the usual `AWS_*`
  variables, or from the URI's query (`?endpoint_override=127.0.0.1:9000&scheme=http`).

Why pyarrow's filesystems: they come with the package that reads the Parquet, and the store asks nothing of an object
store beyond put, get, list and delete. No conditional put is needed: a manifest's name is the hash of its content.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyarrow import fs as pafs

from audioae.errors import StoreError


class Storage:
    """Atomic reads and writes of whole objects under one root.

    Parameters
    ----------
    root : str or Path
        A folder (made on the first write) or `s3://bucket/prefix`.

    Raises
    ------
    StoreError
        From every method, naming the object and what to do, when the medium refuses.
    """

    def __init__(self, root: str | Path):
        self.root = str(root)
        self.is_local = "://" not in self.root
        if self.is_local:
            self._fs: pafs.FileSystem = pafs.LocalFileSystem(use_mmap=True)
            self._base = str(Path(self.root).expanduser().absolute())
            return
        with _explained(self.root):
            self._fs, self._base = pafs.FileSystem.from_uri(self.root)

    def path(self, key: str) -> str:
        """Where `key` lies, as a path of the underlying filesystem."""
        return f"{self._base}/{key}" if key else self._base

    def locate(self, key: str) -> str:
        """Where `key` lies, for a person."""
        return self.path(key) if self.is_local else f"{self.root.partition('?')[0].rstrip('/')}/{key}"

    def write(self, key: str, content: bytes | pa.Buffer) -> None:
        """Store `content` under `key`, replacing what was there, all or nothing."""
        with _explained(self.locate(key)):
            if self.is_local:
                _write_local(Path(self.path(key)), content)
            else:
                with self._fs.open_output_stream(self.path(key)) as stream:
                    stream.write(content)

    def read(self, key: str) -> bytes:
        """The bytes under `key`."""
        with self.open(key) as stream:
            return stream.read()

    @contextlib.contextmanager
    def open(self, key: str) -> Iterator[pa.NativeFile]:
        """A random-access file on `key` (memory-mapped where it is local)."""
        with _explained(self.locate(key)), self._fs.open_input_file(self.path(key)) as stream:
            yield stream

    def size(self, key: str) -> int | None:
        """Bytes under `key`, or None if there is no such object."""
        with _explained(self.locate(key)):
            info = self._fs.get_file_info(self.path(key))
        return info.size if info.type == pafs.FileType.File else None

    def exists(self, key: str) -> bool:
        return self.size(key) is not None

    def list(self, prefix: str) -> dict[str, datetime]:
        """Keys below the folder `prefix`, at any depth, with their time of writing; without unfinished files."""
        selector = pafs.FileSelector(self.path(prefix), allow_not_found=True, recursive=True)
        with _explained(self.locate(prefix)):
            infos = self._fs.get_file_info(selector)
        start = len(self._base) + 1
        return {
            info.path[start:]: info.mtime or datetime.fromtimestamp(0, UTC)
            for info in infos
            if info.type == pafs.FileType.File and not info.base_name.startswith(".tmp-")
        }

    def delete(self, key: str) -> None:
        """Remove `key`; no error if it is gone already."""
        with _explained(self.locate(key)), contextlib.suppress(FileNotFoundError):
            self._fs.delete_file(self.path(key))


def _write_local(path: Path, content: bytes | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".tmp-{secrets.token_hex(6)}"
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn what a filesystem raises into a `StoreError` that says where and what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(
            f"{where}: no such object in the store; was it pruned, or is the store's root wrong?"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StoreError(
                f"{where}: no space left ({error.strerror}); nothing was published. Free space and run again: "
                "finished shards are kept"
            ) from error
        raise StoreError(f"{where}: {error}; check that the root exists and may be read and written") from error
    except pa.ArrowInvalid as error:
        raise StoreError(f"{where}: {error}; wanted a folder or s3://bucket/prefix") from error
