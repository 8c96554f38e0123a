"""Read the tags of a batch of files, each with a limit of bytes and reads. It runs in a worker process.

Why a limit of reads: a file of 50 MB can have millions of parts. This limit stops such a file after a second, and
without a new process.

Why so few imports: every worker pays for them.
"""

import io
import os
from collections.abc import Sequence
from typing import NamedTuple

from audioae.audio.remote import is_remote
from audioae.audio.remote_ranges import BUFFER, RangeFile
from audioae.catalog.tags import Tags, read_tags

_SMALL = 1 << 16


class Reading(NamedTuple):
    """The tags of a file, or what kept us from reading them; `may_pass` if another try may succeed."""

    tags: Tags = Tags()
    problem: str | None = None
    may_pass: bool = False


def read_batch(paths: Sequence[str], encoding: str | None, read_mb: int, reads: int) -> list[Reading]:
    """Read the tags of some files, in order.

    Parameters
    ----------
    paths : sequence of str
    encoding : str, optional
        See `tags.read_tags`.
    read_mb, reads : int
        The most megabytes, and the most reads, per file.
    """
    return [_read(path, encoding, read_mb, reads) for path in paths]


def _read(path: str, encoding: str | None, read_mb: int, reads: int) -> Reading:
    try:
        file = LimitedFile(path, read_mb, reads)
    except OSError as error:
        return Reading(problem=error.strerror or str(error), may_pass=True)
    with file:
        try:
            tags = read_tags(file, encoding)
        except OSError:
            return Reading(Tags(), file.problem, file.has_failed)
        except MemoryError:
            return Reading(problem="they need more memory than catalog.tag_limits.memory_mb")
        except Exception as error:  # noqa: BLE001 - a fault of our code, met by one file, must not stop the run
            return Reading(problem=f"{type(error).__name__}: {error}")
        return Reading(Tags(), file.problem, file.has_failed) if file.problem else Reading(tags)


class LimitedFile(io.BufferedReader):
    """A file of which only so much can be read; beyond, every read fails, and `problem` says why.

    `has_failed` is true where the disk is the problem, not the file.
    """

    def __init__(self, path: str, read_mb: int, reads: int):
        raw = RangeFile(path) if is_remote(path) else io.FileIO(path)
        super().__init__(raw, BUFFER if isinstance(raw, RangeFile) else io.DEFAULT_BUFFER_SIZE)
        self._limits = read_mb, reads
        self._bytes, self._reads = read_mb << 20, reads
        self._size: int = raw.size if isinstance(raw, RangeFile) else os.fstat(raw.fileno()).st_size
        self.problem: str | None = None
        self.has_failed = False

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size < _SMALL:  # a length that the file claims may be any number
            rest = max(self._size - self.tell(), 0)
            size = rest if size is None or size < 0 else min(size, rest)
        self._bytes -= size
        self._reads -= 1
        if self._bytes < 0:
            self.problem = f"more than {self._limits[0]} MB of the file belong to them"
        elif self._reads < 0:
            self.problem = f"the file has more than {self._limits[1]:,} parts"
        if self.problem:
            raise OSError(self.problem)
        try:
            return super().read(size)
        except OSError as error:
            self.problem, self.has_failed = error.strerror or str(error), True
            raise
