"""Read the files of a scan: size, time of modification, hashes and tags.

Conventions
-----------
- A file whose size and time of modification are as in an earlier scan is not read again, or only its tags (`retag`). A
  new one is read twice: for the hashes, and by a worker process for its tags.
- A file that cannot be read now (no permission, a failing disk, a stale mount) is as it was in the earlier scan. A new
  one has no hash; nor has a file that is absent, or is no regular file, which is never opened.
"""

import contextlib
import hashlib
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pyarrow as pa

from audioae.catalog.audio_bytes import hash_audio
from audioae.catalog.file_kinds import says_absent
from audioae.catalog.paths import paths_of, printable
from audioae.catalog.sources import CatalogConfig
from audioae.catalog.tag_workers import Reading, read_all_tags
from audioae.catalog.tags import Tags
from audioae.progress import Advance

_THREADS = 8
_BATCH = 64
_READ_BYTES = 1 << 20

_log = logging.getLogger(__name__)


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


def read_files(
    config: CatalogConfig,
    paths: Sequence[str],
    earlier: Mapping[str, File],
    *,
    reread: bool,
    retag: bool = False,
    on_progress: Advance | None,
) -> list[File]:
    """What is known of each file.

    Parameters
    ----------
    config : CatalogConfig
        How tags are read.
    paths : sequence of str
    earlier : mapping of str to File
        Files of an earlier scan by path.
    reread : bool
        Whether files that have not changed are read again.
    retag : bool
        Whether only their tags are read again.
    on_progress : Advance or None
        Called with the number of files done and of all files.
    """
    files = [_stat(path) for path in paths]
    unread = []
    for i, (path, file) in enumerate(zip(paths, files, strict=True)):
        before = earlier.get(path)
        if before and before[:2] == file[:2] and not reread:
            files[i] = before
        if file.size_bytes is not None and (files[i] is file or retag):
            unread.append(i)
    done = len(paths) - len(unread)
    for batch, read in _read_batches(config, paths, files, unread):
        for i, file in zip(batch, read, strict=True):
            files[i] = file
        done += len(batch)
        if on_progress:
            on_progress(done, len(paths))
    if on_progress and not unread:
        on_progress(done, len(paths))
    return _kept(paths, files, earlier)


def files_of(scanned: pa.Table) -> dict[str, File]:
    """The files of a scan by path, without those that could not be read."""
    columns = ["size_bytes", "modified_ns", "content_hash", "audio_hash", *Tags._fields]
    rows = zip(*scanned.select(columns).to_pydict().values(), strict=True)
    return {
        path: File(size_bytes, modified_ns, content_hash, audio_hash, Tags(*tags))
        for path, (size_bytes, modified_ns, content_hash, audio_hash, *tags) in zip(
            paths_of(scanned), rows, strict=True
        )
        if content_hash is not None
    }


def _read_batches(
    config: CatalogConfig, paths: Sequence[str], files: Sequence[File], unread: Sequence[int]
) -> Iterator[tuple[Sequence[int], list[File]]]:
    """Yield batches of rows and their files; while the tags of one are read, the next ones are hashed."""
    batches = [unread[i : i + _BATCH] for i in range(0, len(unread), _BATCH)]
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
            for batch, answers in zip(batches, tags, strict=True):
                readings = iter(answers)
                read = hashed.pop(0)
                yield batch, [file.with_tags(next(readings)) if file.content_hash else file for file in read]


def _stat(path: str) -> File:
    try:
        status = os.stat(path)
    except OSError as error:
        return _failed(File(), error)
    return File(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else File()


def _read(path: str, file: File) -> File:
    """The file with its hashes, unless it has them from an earlier scan."""
    if file.content_hash:
        return file
    content = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as opened:
            while block := opened.read(_READ_BYTES):
                content.update(block)
    except OSError as error:
        return _failed(file, error)
    return file._replace(content_hash=content.hexdigest(), audio_hash=hash_audio(path))


def _failed(file: File, error: OSError) -> File:
    return File() if says_absent(error) else file._replace(problem=error.strerror or str(error))


def _kept(paths: Sequence[str], files: list[File], earlier: Mapping[str, File]) -> list[File]:
    """Files that cannot be read now are as they were."""
    kept = [i for i, (path, file) in enumerate(zip(paths, files, strict=True)) if file.problem and path in earlier]
    if kept:
        some = f"{printable(paths[kept[0]])} ({files[kept[0]].problem})"
        _log.warning("%d known files cannot be read now, such as %s; they are kept as they were", len(kept), some)
    for i in kept:
        files[i] = earlier[paths[i]]
    return files
