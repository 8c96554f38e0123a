"""Read the tags of many files in worker processes, with limits of time, memory and bytes.

Conventions
-----------
- A file that exceeds a limit has no tags, and `problem` says why. Of those, a file that took too long or crashed its
  process `may_pass`: the disk may have been busy. The other limits end the same way every time.
- Files are sent in batches. A batch that fails as a whole is read again file by file.

Why processes: a parser in Python needs 200 bytes of memory and a microsecond for each part of a container, and a file
of 50 MB can have millions of parts. Only a process can be stopped."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence

from audioae.audio.workers import imap_killable
from audioae.catalog.limited_tags import Reading, read_batch
from audioae.catalog.paths import printable
from audioae.catalog.tag_config import TagLimits
from audioae.errors import AudioError

_MOST_WORKERS = 4  # disks are the bottleneck beyond

_log = logging.getLogger(__name__)


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
    settings = encoding, limits.read_mb, limits.reads
    items = ((tuple(batch), (tuple(batch), *settings)) for batch in batches)
    options = {"workers": workers, "timeout_s": limits.timeout_s, "memory_mb": limits.memory_mb}
    n_files, lost = 0, []
    for paths, answer in imap_killable(read_batch, items, **options):
        readings = answer
        if isinstance(answer, AudioError):
            alone = ((path, ((path,), *settings)) for path in paths)
            readings = [_one(result) for _, result in imap_killable(read_batch, alone, **options)]
        n_files += len(paths)
        lost += [(path, reading.problem) for path, reading in zip(paths, readings, strict=True) if reading.problem]
        yield readings
    if lost:
        _log.warning(
            "the tags of %d of %d files were left out, for example of %s: %s (catalog.tag_limits)",
            *(len(lost), n_files, printable(lost[0][0]), lost[0][1]),
        )


def _one(result: list[Reading] | AudioError) -> Reading:
    """The reading of a file that was sent alone."""
    if isinstance(result, AudioError):
        return Reading(problem=result.detail, may_pass=result.reason != "out_of_memory")
    return result[0]
