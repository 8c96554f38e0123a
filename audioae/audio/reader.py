"""What a decoder offers: any span of an audio file as float32 planes at its sample rate.

Conventions
-----------
- A block is `planes`, shape (channels, n), float32, of about `BLOCK` frames: memory does not grow with the track. It is
  valid until the next block is read.
- A frame is one sample of every channel; positions are frames from the beginning of the track.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from audioae.errors import AudioError

BLOCK = 65_536  # frames; stereo float32 fits the second-level cache
END = 1 << 62  # as `stop`: to the end of the file

SLACK_S = 0.1  # a file may be that much shorter than its length: encoder delay, padding, rounding


class GaveUpError(AudioError):
    """A decoder ended before the file did. Another one may read more."""


class Reader(Protocol):
    """An open audio file.

    `n_frames` is its length; `container` and `codec` are lower-case names. `resyncs` and `missing_s` say what the
    decoder had to leave out of what was read so far: how often, and how many seconds; `damage` is the first such place.
    After `measure`, `n_frames` is what can be decoded, and the file is only read from its beginning.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    n_frames: int
    resyncs: int
    missing_s: float
    damage: AudioError | None

    def can_seek(self) -> bool:
        """Whether `blocks` may start anywhere. If not, a track must be read from its beginning."""
        ...

    def blocks(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Yield planes from frame `start` to `stop`, or to the end of the file.

        Raises `GaveUpError`: "corrupt" where the decoder gives up, "truncated" if the file ends before `n_frames`.
        """
        ...

    def measure(self) -> None:
        """Decode the whole file and set `n_frames` to the frames that come out. Raises `AudioError` if none do."""
        ...

    def close(self) -> None: ...


def check_end(reader: Reader, position: int, stop: int) -> None:
    """Raise `GaveUpError`, "truncated", if a file of `n_frames` ended at `position`, when `stop` was wanted."""
    if position < min(stop, reader.n_frames) - SLACK_S * reader.sample_rate:
        decoded_s, claimed_s = position / reader.sample_rate, reader.n_frames / reader.sample_rate
        detail = f"{decoded_s:.1f} of {claimed_s:.1f} s could be decoded ({reader.codec})"
        raise GaveUpError("truncated", f"{detail}; download or copy the file again")


def count_frames(reader: Reader) -> int:
    """Decode a file up to its end, or up to where the decoder gives up. Raises `GaveUpError` if nothing comes out."""
    n = 0
    try:
        for block in reader.blocks(0, END):
            n += block.shape[1]
    except GaveUpError:
        if not n:
            raise
    return n
