"""Read files of a scan: size, time of modification, hashes and tags.

Conventions
-----------
- `READ` has the columns of what is known of files; see `catalog.database` for paths.
- A file is read twice: for the hashes, and by a worker process for its tags. One that has hashes is read for its tags
  only.
- A remote file is not fetched: instead of a hash of its bytes it has one of its URI, size and time of modification. Of
  its tags, only the ranges are read that hold them. So copies of one file are no exact duplicates there, and a file
  that was moved is another track.
- A file that cannot be read now (no permission, a failing disk, a stale mount) has no hash, but a `problem`. A file
  that is absent, or is no regular file, has neither, nor a size; it is never opened.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pyarrow as pa

from audioae.audio.remote import is_remote, stat_remote
from audioae.catalog.audio_bytes import hash_audio
from audioae.catalog.database import encoded
from audioae.catalog.file_kinds import says_absent
from audioae.catalog.sources import CatalogConfig
from audioae.catalog.tag_workers import Reading, read_all_tags
from audioae.catalog.tags import Tags
from audioae.catalog.texts import TEXTS
from audioae.errors import AudioError

CODE = 1  # raise it when the same file would give other hashes or tags
CHUNK = 1024  # files; what a killed scan has to read again, at most

READ = pa.schema(
    [
        ("path", pa.binary()),
        ("size_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("content_hash", pa.string()),
        ("audio_hash", pa.string()),
        ("title", pa.string()),
        ("artists", TEXTS),
        ("album", pa.string()),
        ("genres", TEXTS),
        ("year", pa.int32()),
        ("duration_s", pa.float64()),
        ("isrc", pa.string()),
        ("musicbrainz_id", pa.string()),
    ]
)

_THREADS = 8
_BATCH = 64
_READ_BYTES = 1 << 20


class File(NamedTuple):
    """What a scan knows of a file. The first two are None if there is no such file, the hash if it cannot be read."""

    size_bytes: int | None = None
    modified_ns: int | None = None
    content_hash: str | None = None
    audio_hash: str | None = None
    tags: Tags = Tags()
    problem: str | None = None  # why it cannot be read now

    def with_tags(self, reading: Reading) -> "File":
        """Tags that another try may read leave no time of modification, so that the next scan reads the file again."""
        tags = self.tags if reading.problem else reading.tags
        return self._replace(tags=tags, modified_ns=None if reading.may_pass else self.modified_ns)


def stat_files(paths: Sequence[str]) -> list[File]:
    """Size and time of modification of each file."""
    with ThreadPoolExecutor(_THREADS, "audioae-stat") as pool:
        batches = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
        return [file for batch in pool.map(lambda batch: list(map(_stat, batch)), batches) for file in batch]


def read_files(config: CatalogConfig, paths: Sequence[str], files: Sequence[File]) -> list[File]:
    """Read the hashes (of those that have none) and the tags of some files.

    Parameters
    ----------
    config : CatalogConfig
        How tags are read.
    paths : sequence of str
    files : sequence of File
        What is known of each.
    """
    read: list[File] = []
    rows = range(len(paths))
    for batch in _read_batches(config, paths, files, [rows[i : i + _BATCH] for i in rows[::_BATCH]]):
        read += batch
    return read


def as_table(paths: Sequence[str], files: Sequence[File]) -> pa.Table:
    """Files as rows of `READ`."""
    rows = [(encoded(path), *file[:4], *file.tags) for path, file in zip(paths, files, strict=True)]
    names = ["path", *File._fields[:4], *Tags._fields]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    return pa.table([pa.array(columns.get(field.name, ()), field.type) for field in READ], schema=READ)


def as_files(rows: pa.Table) -> list[File]:
    """Rows with the columns of `READ` as files."""
    columns = [rows[name].to_pylist() for name in (*File._fields[:4], *Tags._fields)]
    rows = zip(*columns, strict=True)
    return [File(size, modified, content, audio, Tags(*tags)) for size, modified, content, audio, *tags in rows]


def _read_batches(
    config: CatalogConfig, paths: Sequence[str], files: Sequence[File], batches: Sequence[Sequence[int]]
) -> Iterator[list[File]]:
    """Yield the files of each batch of rows; while the tags of one are read, the next ones are hashed."""
    hashed: list[list[File]] = []

    def read_batch(batch: Sequence[int]) -> list[File]:
        return [_read(paths[i], files[i]) for i in batch]

    def readable(results: Iterable[list[File]]) -> Iterator[list[str]]:
        for batch, read in zip(batches, results, strict=True):
            hashed.append(read)
            yield [paths[i] for i, file in zip(batch, read, strict=True) if file.content_hash]

    with ThreadPoolExecutor(_THREADS, "audioae-scan") as pool:
        results = pool.map(read_batch, batches)
        with contextlib.closing(results):  # type: ignore[type-var] - a generator; closing it cancels queued batches
            tags = read_all_tags(readable(results), config.tag_limits, config.tag_encoding)
            for answers in tags:
                readings = iter(answers)
                read = hashed.pop(0)
                yield [file.with_tags(next(readings)) if file.content_hash else file for file in read]


def _stat(path: str) -> File:
    if is_remote(path):
        return _stat_remote(path)
    try:
        status = os.stat(path)
    except OSError as error:
        return _failed(File(), error)
    return File(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else File()


def _stat_remote(uri: str) -> File:
    try:
        return File(*stat_remote(uri))
    except AudioError as error:
        return File(problem=error.detail)


def _read(path: str, file: File) -> File:
    """The file with its hashes, unless it has them from an earlier scan."""
    if file.content_hash:
        return file
    if is_remote(path):
        return file._replace(content_hash=_identity(path, file))
    content = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as opened:
            while block := opened.read(_READ_BYTES):
                content.update(block)
    except OSError as error:
        return _failed(file, error)
    return file._replace(content_hash=content.hexdigest(), audio_hash=hash_audio(path))


def _identity(uri: str, file: File) -> str:
    """What stands for the hash of a remote file, of which only the listing is known."""
    told = f"{uri}\0{file.size_bytes}\0{file.modified_ns}"
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _failed(file: File, error: OSError) -> File:
    return File() if says_absent(error) else file._replace(problem=error.strerror or str(error))
