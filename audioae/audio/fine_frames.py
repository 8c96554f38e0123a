"""Steps of a waveform in frames of about 1.45 ms: where a click or a repeated buffer may be.

Conventions
-----------
- A fine frame is 1.45 ms: 64 samples at 44.1 kHz, a power of two at every rate.
- A run is a stretch that was read without a gap, shape (n,), float32, finite. A step is the difference of two
  successive samples; a bend is the difference of two successive steps.

Why steps and bends: clicks and splices have much of their power at high frequencies, where music has little.
"""

from dataclasses import dataclass

import numpy as np

_FINE_HZ = 690.0
_PIECE = 65_536  # samples that fit the cache


@dataclass(frozen=True)
class FineFrames:
    """The fine frames of a run.

    Parameters
    ----------
    size : int
        Samples of a frame.
    power : np.ndarray, shape (n_frames,), float32
        Mean square of the steps of each frame.
    peak : np.ndarray, shape (n_frames,), float32
        Largest absolute bend of each frame.
    """

    size: int
    power: np.ndarray
    peak: np.ndarray


def frame_size(sample_rate: int) -> int:
    """Samples of a fine frame.

    >>> [frame_size(rate) for rate in (8_000, 22_050, 44_100, 48_000, 96_000)]
    [16, 32, 64, 64, 128]
    """
    return 1 << max(round(np.log2(sample_rate / _FINE_HZ)), 0)


def fine_frames(run: np.ndarray, sample_rate: int) -> FineFrames:
    """Steps and bends of `run`, shape (n,), in its whole fine frames."""
    size = frame_size(sample_rate)
    n = len(run) // size * size
    power, peak = np.zeros(n // size, np.float32), np.zeros(n // size, np.float32)
    for start in range(0, n, _PIECE):
        piece = run[max(start - 2, 0) : min(start + _PIECE, n)]
        steps = np.diff(piece, prepend=piece[:1] if start < 2 else piece[:0])
        bends = np.diff(steps, prepend=steps[:1] if start < 2 else steps[:0]).reshape(-1, size)
        steps = steps[-bends.size :].reshape(-1, size)
        frames = slice(start // size, start // size + len(steps))
        power[frames] = np.vecdot(steps, steps) / size
        peak[frames] = np.maximum(bends.max(axis=1), -bends.min(axis=1))
    return FineFrames(size, power, peak)
