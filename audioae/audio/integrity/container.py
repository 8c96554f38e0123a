"""Shared by the walkers: their result, their two errors, and the length of tags around the audio.

Conventions
-----------
- `data` is the whole file: bytes or a memory map. Times are seconds.
- A walker `walk_<kind>(data, start)` begins at `start` (after leading tags), returns `None` if the data is of another
  kind, and raises `AudioError` "truncated" or "corrupt".
"""

from dataclasses import dataclass
from mmap import mmap

from audioae.errors import AudioError

Bytes = bytes | mmap

COPY_AGAIN = "download or copy the file again"

_SLACK_S = 0.1  # a header may claim that much more than the file contains: encoder delay, padding, rounding


@dataclass(frozen=True)
class Container:
    """A file's kind, the seconds that its header claims and the seconds that it contains; `None` where unknown."""

    kind: str
    claimed_s: float | None = None
    found_s: float | None = None


def checked(kind: str, found_s: float, claimed_s: float | None) -> Container:
    """Make the `Container`. Raises `AudioError` "truncated" if the file contains less than its header claims."""
    if claimed_s is not None and found_s < claimed_s - _SLACK_S:
        raise AudioError("truncated", f"{found_s:.1f} of {claimed_s:.1f} s are in the file ({kind}); {COPY_AGAIN}")
    return Container(kind, claimed_s, found_s)


def corrupt(kind: str, at_s: float, damage: str) -> AudioError:
    """The error for damage inside a file."""
    return AudioError("corrupt", f"at {at_s:.1f} s: {damage} ({kind}); download, copy or encode the file again")


def tag_length(data: Bytes, position: int) -> int:
    """Length in bytes of the ID3v2, APE or ID3v1 tag at `position`; 0 if there is no tag.

    >>> tag_length(b"ID3" + bytes([4, 0, 0, 0, 0, 1, 0]) + bytes(200), 0)
    138
    """
    head = data[position : position + 32]
    if head[:3] == b"ID3" and len(head) >= 10:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) == 32:
        return 32 + (int.from_bytes(head[12:16], "little") if head[23] & 0x20 else 0)
    return 128 if head[:3] == b"TAG" else 0
