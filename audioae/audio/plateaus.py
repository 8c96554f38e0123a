"""Bursts and gaps: stretches that begin and end at once.

Conventions
-----------
- Levels are those of the steps in fine frames (see `audio/fine_frames.py`), in dB, of means over three frames, and at
  least -90.
- A stretch stands out by the lowest level of its first 9 ms above the highest one from 15 to 3 ms before it, or of its
  last 9 ms above the highest one from 3 to 15 ms after it, whichever is less.
- Values are `None` where no run is longer than 40 ms, and near 0 where no stretch stands out.

Columns of `health.HEALTH_COLUMNS` that are measured here:

- plateau_db [dB]: how far a stretch of 9 to 100 ms stands out: up to 10 in music, which decays; 15 to 40 in a burst
  of noise
- gap_db [dB]: the same for the negative levels of 9 ms to 2 s: up to 10 in music, 30 and more where samples were lost
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from audioae.audio.fine_frames import FineFrames

_BURSTS, _GAPS = 70, 1400  # the longest, fine frames
_INSIDE, _AROUND, _BETWEEN, _SMOOTH = 6, 8, 2, 3
_LOWEST = 1e-9  # a power of -90 dBFS


def plateau_evidence(frames: Sequence[FineFrames]) -> dict[str, float | None]:
    """Compute the columns of this module from the fine frames of runs."""
    levels = [_levels(frame.power) for frame in frames]
    return {
        "plateau_db": _highest([_plateau(level, _BURSTS) for level in levels]),
        "gap_db": _highest([_plateau(-level, _GAPS) for level in levels]),
    }


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _levels(power: np.ndarray) -> np.ndarray:
    smooth = uniform_filter1d(power, _SMOOTH) if len(power) else power
    return 10 * np.log10(np.maximum(smooth, _LOWEST))


def _plateau(levels: np.ndarray, longest: int) -> float | None:
    """How far the ends of a stretch of up to `longest` frames are above what surrounds it, at most."""
    margin = _AROUND + _BETWEEN
    if len(levels) <= 2 * margin + _INSIDE:
        return None
    lowest, highest = (
        _of_next(levels, n, which) for n, which in ((_INSIDE, minimum_filter1d), (_AROUND, maximum_filter1d))
    )
    starts = np.arange(margin, len(levels) - margin - _INSIDE + 1)
    rises = lowest[starts] - highest[starts - margin]
    falls = lowest[starts] - highest[starts + _INSIDE + _BETWEEN]  # at `starts` + _INSIDE
    later = _of_next(falls, longest - _INSIDE + 1, maximum_filter1d)
    return float(np.minimum(rises, later).max())


def _of_next(values: np.ndarray, n: int, which: Callable[..., np.ndarray]) -> np.ndarray:
    """The minimum or maximum of values i to i + n - 1."""
    return which(values, n, origin=-(n // 2), mode="nearest")
