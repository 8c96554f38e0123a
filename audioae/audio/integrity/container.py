"""Shared by the walkers: their result, damage, a bounds-checked reader of numbers, and the length of tags.

Conventions
-----------
- `data` is the whole file: bytes or a memory map. Times are seconds.
- A walker `walk_<kind>(data, start)` begins at `start` (after leading tags) and returns `None` if the data is of
  another kind. Damage is part of its result. It raises `AudioError` "truncated" or "corrupt" only if there is nothing
  to decode.
- A slice that reaches beyond the end is short, as everywhere in Python; a number there is "truncated" (`number`).
"""

import math
from dataclasses import dataclass
from mmap import mmap
from typing import Literal

from audioae.errors import AudioError

Bytes = bytes | mmap

COPY_AGAIN = "download or copy the file again"
MAX_CHUNKS = 100_000  # chunks, boxes and gaps of one file: more are an attack or garbage

_SLACK_S = 0.1  # a header may claim that much more than the file contains: encoder delay, padding, rounding


@dataclass(frozen=True)
class Container:
    """What the structure of a file says.

    Parameters
    ----------
    kind : str
        "wav", "w64", "aiff", "au", "caf", "flac", "ogg", "mp4", "mp3", "aac" or "other".
    claimed_s, found_s : float or None
        Seconds that the header claims, and seconds that the file contains; `None` where unknown.
    damage : AudioError or None
        The first damage, as the reason to reject the file if too much is missing.
    missing_s : float
        Seconds lost to damage, infinite if that is unknown.
    resyncs : int
        How often bytes that are no audio interrupt the audio.
    """

    kind: str
    claimed_s: float | None = None
    found_s: float | None = None
    damage: AudioError | None = None
    missing_s: float = 0.0
    resyncs: int = 0


def checked(kind: str, found_s: float, claimed_s: float | None) -> Container:
    """Make the `Container`, which is damaged if the file contains less than its header claims."""
    if claimed_s is None or found_s >= claimed_s - _SLACK_S:
        return Container(kind, claimed_s, found_s)
    error = AudioError("truncated", f"{found_s:.1f} of {claimed_s:.1f} s are in the file ({kind}); {COPY_AGAIN}")
    return Container(kind, claimed_s, found_s, error, claimed_s - found_s)


def cut(kind: str, found_s: float | None, detail: str) -> Container:
    """The `Container` of a file that ends too early by an unknown length."""
    return Container(kind, None, found_s, AudioError("truncated", f"{detail}; {COPY_AGAIN}"), math.inf)


def corrupt(kind: str, at_s: float, damage: str) -> AudioError:
    """The error for damage inside a file."""
    return AudioError("corrupt", f"at {at_s:.1f} s: {damage} ({kind}); download, copy or encode the file again")


def number(data: Bytes, position: int, n_bytes: int, order: Literal["little", "big"], kind: str) -> int:
    """An unsigned number in a header. Raises `AudioError` "truncated" if the file ends before it does.

    >>> number(b"RIFF" + bytes([1, 2]), 4, 2, "little", "wav")
    513
    """
    field = data[position : position + n_bytes]
    if len(field) < n_bytes:
        raise AudioError("truncated", f"the file ends inside a header, at byte {len(data):,} ({kind}); {COPY_AGAIN}")
    return int.from_bytes(field, order)


def shortfall(kind: str, present: int, size: int, claimed_s: float | None) -> str:
    """In words, how much of the audio is in the file; in seconds if the header claims some."""
    if claimed_s is None:
        return f"{present:,} of {size:,} bytes are in the file ({kind})"
    return f"about {present / size * claimed_s:.1f} of {claimed_s:.1f} s are in the file ({kind})"


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
