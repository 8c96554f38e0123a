"""Clicks and splices: samples that the sound around them does not predict.

Conventions
-----------
- A spike is a sample of the residual of a linear prediction (order 24), in dB above the residual's RMS from 1 to 8 ms
  before and after it, whichever is louder. A drum has a residual after its onset, a click has none on either side.
- The prediction is learned from 23 ms on both sides. Only the frames whose bends stand out most are examined: one per
  2 s, at least 6 and at most 16.
- A spike is at least 0; values are `None` where no run is longer than 50 ms.

Columns of `health.HEALTH_COLUMNS` that are measured here:

- spike_db [dB]: the largest spike: 14 to 31 in music, 37 and more where samples are wrong
- spikes_db [dB]: the fifth largest one. A sound may begin like a click once, but seldom five times

Source: S. J. Godsill and P. J. W. Rayner, Digital Audio Restoration (Springer 1998), chapter 5.
"""

from collections.abc import Sequence

import numpy as np
import scipy.fft

from audioae.audio.fine_frames import FineFrames

_ORDER = 24
_SIDE = 16  # fine frames on each side from which the prediction is learned
_SMALLEST_FRAME = 8  # samples; below 4 kHz a frame is too short
_LOWEST = 3e-5  # an RMS of -90 dBFS; what is below it means nothing
_FIFTH = 4


def click_evidence(
    runs: Sequence[np.ndarray], frames: Sequence[FineFrames], sample_rate: int
) -> dict[str, float | None]:
    """Compute the columns of this module from runs, shape (n,), and their fine frames."""
    seconds = sum(map(len, runs)) / sample_rate
    spikes = _spikes(_candidates(runs, frames, int(np.clip(seconds / 2, 6, 16))))
    if spikes is None:
        return {"spike_db": None, "spikes_db": None}
    ordered = np.sort(spikes)[::-1]
    return {"spike_db": float(ordered[0]), "spikes_db": float(ordered[min(_FIFTH, len(ordered) - 1)])}


def _candidates(runs: Sequence[np.ndarray], frames: Sequence[FineFrames], n: int) -> np.ndarray | None:
    """Samples around the bends that stand out most, shape (up to n, samples); `None` if every run is too short."""
    found: list[tuple[float, int, int]] = []
    margin = _SIDE + 3
    for number, frame in enumerate(frames):
        if frame.size < _SMALLEST_FRAME or len(frame.peak) <= 2 * margin:
            continue
        levels = np.log(np.maximum(frame.peak, 1e-6))
        four = _highest(_highest(levels, 1), 2)
        inner = np.arange(margin, len(levels) - margin)
        prominence = levels[inner] - np.maximum(four[inner - 5], four[inner + 2])
        best = np.argpartition(-prominence, min(3 * n, len(inner) - 1))[: 3 * n]
        found += [(float(prominence[i]), number, int(inner[i])) for i in best]
    if not found:
        return None
    chosen: list[tuple[int, int]] = []
    for _, number, at in sorted(found, key=lambda row: -row[0]):
        if not any(number == other and abs(at - where) < 3 for other, where in chosen):
            chosen.append((number, at))
        if len(chosen) == n:
            break
    return np.stack([_around(runs[number], frames[number].size, at) for number, at in chosen])


def _highest(levels: np.ndarray, width: int) -> np.ndarray:
    return np.maximum(levels[:-width], levels[width:])


def _around(run: np.ndarray, size: int, at: int) -> np.ndarray:
    """Samples around the largest bend of frame `at`, which becomes the middle one."""
    first = at * size
    middle = first + int(np.abs(np.diff(run[first - 2 : first + size], 2)).argmax())
    reach = (_SIDE + 1) * size
    return run[middle - reach : middle + reach]


def _spikes(segments: np.ndarray | None) -> np.ndarray | None:
    """The spike in the middle of each segment, shape (n,), dB."""
    if segments is None:
        return None
    middle = segments.shape[1] // 2
    size = middle // (_SIDE + 1)
    near, guard, reach = max(3 * size // 8, 3), 3 * size // 4, 6 * size
    sides = segments[:, : middle - near], segments[:, middle + near :]
    predicted = segments[:, middle - reach - _ORDER : middle + reach]
    windows = np.lib.stride_tricks.sliding_window_view(predicted, _ORDER + 1, axis=1)
    residual = np.abs(np.matmul(windows, _prediction_errors(sides)[:, :, None])[:, :, 0])
    highest = residual[:, reach - near : reach + near + _ORDER // 4].max(axis=1)
    before, after = residual[:, : reach - guard], residual[:, reach + guard + _ORDER :]
    around = np.sqrt(np.maximum(np.square(before).mean(axis=1), np.square(after).mean(axis=1)))
    return np.maximum(20 * np.log10(np.maximum(highest, _LOWEST) / np.maximum(around, _LOWEST)), 0)


def _prediction_errors(sides: Sequence[np.ndarray]) -> np.ndarray:
    """Filters whose output is what linear prediction leaves, shape (n, order + 1), float32; the last is 1."""
    n = sides[0].shape[1]
    window = np.hanning(n).astype(np.float32)
    powers = sum(np.abs(np.asarray(scipy.fft.rfft(side * window, 2 * n))) ** 2 for side in sides)
    correlations = np.asarray(scipy.fft.irfft(powers))[:, : _ORDER + 1].astype(np.float64)
    correlations[:, 0] = correlations[:, 0] * (1 + 1e-5) + 1e-12  # solvable in silence and for pure tones
    lags = np.abs(np.arange(_ORDER)[:, None] - np.arange(_ORDER))
    weights = np.linalg.solve(correlations[:, lags], correlations[:, 1:, None])[:, ::-1, 0]
    return np.concatenate([-weights, np.ones((len(weights), 1))], axis=1).astype(np.float32)
