"""Tops of a waveform: whether its highest maxima are equally high, as where it was clipped.

Conventions
-----------
- A top is a local maximum of the absolute value of a channel that is above half of its block's peak.
- The tops of a channel are compared over all blocks; the channel with the flattest tops counts.

Column of `health.HEALTH_COLUMNS` that is measured here:

- tops_db [dB]: how far the highest tops, 20 per second, are below the peak: 1 to 12 in most sounds, near 0 where
  they were clipped, even if they were attenuated or encoded afterwards. None without a block above -40 dBFS
"""

import numpy as np

_PER_S = 20
_KEPT = 64  # of a block, which has up to 1.5 s
_AUDIBLE = 0.01


class TopMeter:
    """Collects the tops of blocks.

    Parameters
    ----------
    sample_rate : int
        Hz.
    channels : int
    """

    def __init__(self, sample_rate: int, channels: int):
        self._sample_rate = sample_rate
        self._n = 0
        self._tops: list[list[np.ndarray]] = [[] for _ in range(channels)]

    def add(self, planes: np.ndarray) -> None:
        """Measure a block, shape (channels, n), float32."""
        self._n += planes.shape[1]
        for plane, tops in zip(planes, self._tops, strict=True):
            tops.append(_tops(np.abs(plane)))

    def columns(self) -> dict[str, float | None]:
        """The column of this module."""
        n = max(round(_PER_S * self._n / self._sample_rate), 2)
        found = [_below_db(np.concatenate(tops), n) for tops in self._tops if tops]
        return {"tops_db": min((value for value in found if value is not None), default=None)}


def _tops(height: np.ndarray) -> np.ndarray:
    """The highest tops of a block, ascending."""
    high = np.flatnonzero(height[1:-1] > max(0.5 * float(height.max(initial=0)), _AUDIBLE)) + 1
    tops = height[high][(height[high] >= height[high - 1]) & (height[high] > height[high + 1])]
    return np.sort(tops)[-_KEPT:]


def _below_db(tops: np.ndarray, n: int) -> float | None:
    """How far the nth highest top is below the highest one; the lowest one where there are fewer."""
    if not len(tops):
        return None
    highest = np.sort(tops)[::-1]
    return float(20 * np.log10(highest[0] / highest[min(n, len(highest)) - 1]))
