"""Read a span of a track as planes, by seeking where the format allows it.

Conventions
-----------
- Planes: shape (channels, n), float32, at the file's own rate. A span that reaches beyond the end is cut there.
- A start of None means where the track's middle clip begins: the three seconds that a report shows.
"""

import numpy as np

from audioae.audio.clips import plan_clips
from audioae.audio.config import ClipConfig
from audioae.audio.reader import Reader
from audioae.errors import AudioError

BEFORE_S = 0.15  # lossy codecs are wrong for a moment after a seek, and a resampler near an edge
_CANCELED = 1e-3  # energy of the mean over channels relative to the loudest one: a channel has its polarity reversed


def start_of(duration_s: float, start_s: float | None, seconds: float, clip_config: ClipConfig) -> float:
    """Where a span begins: as wanted, or by default at the middle clip, earlier if the track ends within the span.

    >>> start_of(100.0, None, 10.0, ClipConfig(max_clips=1)), start_of(12.0, None, 10.0, ClipConfig(max_clips=1))
    (48.5, 2.0)
    """
    if start_s is not None:
        return max(start_s, 0.0)
    starts = plan_clips(duration_s, clip_config)
    return min(float(starts[len(starts) // 2]), max(duration_s - seconds, 0.0))


def read_planes(reader: Reader, first: int, last: int) -> np.ndarray:
    """The planes of frames `first` to `last`; without seeking, from the beginning of the file on.

    Raises
    ------
    AudioError
        "corrupt" if nothing comes out, or samples are NaN or infinite.
    """
    position = first if reader.can_seek() else 0
    blocks = [np.zeros((reader.channels, 0), np.float32)]
    for block in reader.blocks(position, last):
        blocks.append(block[:, max(first - position, 0) :].copy())
        position += block.shape[1]
    planes = np.concatenate(blocks, axis=1)
    if planes.shape[1] == 0 or not np.isfinite(planes).all():
        fault = "nothing can be decoded" if planes.shape[1] == 0 else "NaN or infinite samples"
        raise AudioError("corrupt", f"{fault} from {first / reader.sample_rate:.1f} s on; encode the file again")
    return planes


def mono_of(planes: np.ndarray) -> np.ndarray:
    """The mean over channels, shape (n,); the loudest channel where they cancel each other in the mean."""
    mono = planes.mean(axis=0)
    energy = (planes.astype(np.float64) ** 2).sum(axis=1)
    if (mono.astype(np.float64) ** 2).sum() < _CANCELED * energy.max():
        return planes[int(energy.argmax())]
    return mono
