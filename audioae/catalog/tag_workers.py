"""Read the tags of many files in worker processes, with limits of time, memory and bytes.

Conventions
-----------
- A file that exceeds a limit has no tags, and `problem` says why. Of those, a file that took too long or crashed its
  process `may_pass`: the disk may have been busy. The other limits end the same way every time.
- Files are sent in batches. A batch that fails as a whole is read again file by file.

Why processes: a parser in Python needs 200 bytes of memory and a microsecond for each part of a container, and a file
of 50 MB can have millions of parts. Only a process can be stopped.

Why a limit of reads too: it stops such a file after a second and without a new process.
"""

import io
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from audioae.audio.workers import imap_killable
from audioae.catalog.tag_config import TagLimits
from audioae.catalog.tags import Tags, read_tags
from audioae.errors import AudioError

_MOST_WORKERS = 4  # disks are the bottleneck beyond
_SMALL = 1 << 16

_log = logging.getLogger(__name__)


class Reading(NamedTuple):
    """The tags of a file, or what kept us from reading them."""

    tags: Tags = Tags()
    problem: str | None = None
    may_pass: bool = False


def read_all_tags(
    batches: Iterable[Sequence[str]], limits: TagLimits, encoding: str | None = None
) -> Iterator[list[Reading]]:
    """Read the tags of all files; at the end, log how many exceeded a limit.

    Parameters
    ----------
    batches : iterable of sequences of str
        Paths, read lazily. Some 64 per batch keep the cost of sending them small.
    limits : TagLimits
    encoding : str, optional
        See `tags.read_tags`.

    Returns
    -------
    Iterator of lists of Reading
        One list per batch, in order.
    """
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    items = ((tuple(batch), (tuple(batch), limits, encoding)) for batch in batches)
    options = {"workers": workers, "timeout_s": limits.timeout_s, "memory_mb": limits.memory_mb}
    n_files, lost = 0, []
    for paths, answer in imap_killable(_read_batch, items, **options):
        readings = answer
        if isinstance(answer, AudioError):
            alone = ((path, ((path,), limits, encoding)) for path in paths)
            readings = [_one(result) for _, result in imap_killable(_read_batch, alone, **options)]
        n_files += len(paths)
        lost += [(path, reading.problem) for path, reading in zip(paths, readings, strict=True) if reading.problem]
        yield readings
    if lost:
        _log.warning(
            "the tags of %d of %d files were left out, for example of %s: %s (catalog.tag_limits)",
            *(len(lost), n_files, *lost[0]),
        )


def _one(result: list[Reading] | AudioError) -> Reading:
    """The reading of a file that was sent alone."""
    if isinstance(result, AudioError):
        return Reading(problem=result.detail, may_pass=result.reason != "out_of_memory")
    return result[0]


def _read_batch(paths: Sequence[str], limits: TagLimits, encoding: str | None) -> list[Reading]:
    return [_read(path, limits, encoding) for path in paths]


def _read(path: str, limits: TagLimits, encoding: str | None) -> Reading:
    try:
        file = _LimitedFile(path, limits)
    except OSError:
        return Reading()
    with file:
        try:
            tags = read_tags(file, encoding)
        except OSError:
            return Reading(problem=file.problem)
        except MemoryError:
            return Reading(problem=f"they need more than {limits.memory_mb} MB of memory")
        except Exception as error:  # noqa: BLE001 - a fault of our code, met by one file, must not stop the run
            return Reading(problem=f"{type(error).__name__}: {error}")
        return Reading(problem=file.problem) if file.problem else Reading(tags)


class _LimitedFile(io.BufferedReader):
    """A file of which only so much can be read; beyond, every read fails, and `problem` says why."""

    def __init__(self, path: str, limits: TagLimits):
        super().__init__(io.FileIO(path))
        self._limits = limits
        self._bytes, self._reads = limits.read_mb << 20, limits.reads
        self._size = os.fstat(self.fileno()).st_size
        self.problem: str | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size < _SMALL:  # a length that the file claims may be any number
            rest = max(self._size - self.tell(), 0)
            size = rest if size is None or size < 0 else min(size, rest)
        self._bytes -= size
        self._reads -= 1
        if self._bytes < 0:
            self.problem = f"more than {self._limits.read_mb} MB of the file belong to them"
        elif self._reads < 0:
            self.problem = f"the file has more than {self._limits.reads:,} parts"
        if self.problem:
            raise OSError(self.problem)
        return super().read(size)
