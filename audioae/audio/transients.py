"""Evidence of faults that last milliseconds: gaps, clicks, repeated buffers; and of mains hum.

Conventions
-----------
- A fine frame is 1.45 ms (64 samples at 44.1 kHz) and a frame is four of them, rounded to a power of two of samples.
- A run is a stretch that was read without a gap; no measurement spans two runs.
- A step is the difference of two successive samples.
- A value is `None` where no run is long enough.

Columns of `health.HEALTH_COLUMNS` that are measured here:

- fall_db [dB]: the steepest fall of the level, from the maximum of 23 ms to the maximum of 12 ms, one frame later:
  10 to 30 in sounds that decay, 50 and more where samples were lost or a recording was cut off
- burst_db [dB]: the same for the power of the steps: no music ends as abruptly as a burst of noise
- click_db [dB]: level of 1.5 to 6 ms of steps above the 6 ms before and the 6 ms after
- repeat: autocorrelation of fine frames (powers of samples and steps, means) over 0.28 s at a lag of 16 to 81 ms, minus
  half of its maximum at lags below 0.7 of that one, which a note has as well: 0.5 to 0.9 where a buffer was played
  twice, up to 0.7 in repetitive music
- hum_line_db [dB]: level of 50 or 60 Hz and its harmonics, within 0.5 Hz, above their surroundings, in the median of
  windows of 3 s; the mean of the three clearest of four harmonics. Musical notes have other frequencies and end sooner

Why steps: clicks and splices have much of their power at high frequencies, where music has little.
"""

import numpy as np
import scipy.fft

_FINE_HZ = 690.0
_FLOOR = 1e-9  # power of -90 dBFS; differences below it mean nothing
_LAGS = (11, 56)
_WINDOW, _HUM_WINDOW = 192, 2048  # fine frames
_MAINS, _HARMONICS = (50, 60), (1, 2, 3, 4)


class TransientMeter:
    """Accumulates powers and means of fine frames, block by block."""

    def __init__(self, sample_rate: int):
        self.fine = 1 << max(round(np.log2(sample_rate / _FINE_HZ)), 0)
        self.fine_hz = sample_rate / self.fine
        self._ones = np.ones(self.fine, np.float32)
        self._runs: list[list[np.ndarray]] = []

    def add(self, mono: np.ndarray, joined: bool) -> None:
        """Measure a block, shape (n,), float32; `joined` if it follows the last block directly."""
        n = len(mono) // (4 * self.fine) * (4 * self.fine)
        if not n:
            return
        fine = mono[:n].reshape(-1, self.fine)
        steps = np.empty(n, np.float32)
        np.subtract(mono[1:n], mono[: n - 1], out=steps[1:])
        steps[0] = steps[1]
        steps = steps.reshape(-1, self.fine)
        sums = np.stack([np.vecdot(fine, fine), np.vecdot(steps, steps), np.vecdot(fine, self._ones)])
        if joined and self._runs:
            self._runs[-1].append(sums / self.fine)
        else:
            self._runs.append([sums / self.fine])

    def columns(self) -> dict[str, float | None]:
        """The columns of this module."""
        runs = [np.concatenate(blocks, axis=1) for blocks in self._runs]
        coarse = [run[:2].reshape(2, -1, 4).mean(axis=2) for run in runs]
        return {
            "fall_db": _largest([_fall_db(powers) for powers, _ in coarse]),
            "burst_db": _largest([_fall_db(steps) for _, steps in coarse]),
            "click_db": _largest([_click_db(run[1]) for run in runs]),
            "repeat": _largest([_repeat(run) for run in runs]),
            "hum_line_db": _hum_line_db([run[2] for run in runs], self.fine_hz),
        }


def _largest(values: list[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _fall_db(powers: np.ndarray) -> float | None:
    if len(powers) < 8:
        return None
    pairs = _highest(_levels(powers), 1)
    before, after = _highest(pairs, 2), pairs[5:]  # frames i to i + 3, and i + 5 to i + 6
    return float(max((before[: len(after)] - after).max(), 0))


def _click_db(steps: np.ndarray) -> float | None:
    if len(steps) < 16:
        return None
    levels = _levels(steps)
    pairs = _highest(levels, 1)
    sides, highest = _highest(pairs, 2), 0.0
    for width, inner in ((1, levels), (2, pairs), (4, sides)):
        around = np.maximum(sides[: -(width + 4)], sides[width + 4 :])
        highest = max(highest, float((inner[4 : 4 + len(around)] - around).max()))
    return highest


def _levels(powers: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(powers, _FLOOR))


def _highest(levels: np.ndarray, width: int) -> np.ndarray:
    """Maxima over `2 * width` frames, from maxima over `width` frames."""
    return np.maximum(levels[:-width], levels[width:])


def _repeat(run: np.ndarray) -> float | None:
    """The highest autocorrelation of a window at a lag, among windows with enough detail."""
    if run.shape[1] <= _WINDOW:
        return None
    details = np.concatenate([np.sqrt(run[:2]), run[2:]])
    details = details[:, :-1] + details[:, 1:]  # a buffer need not be a whole number of frames
    windows = np.lib.stride_tricks.sliding_window_view(details, _WINDOW, axis=1)[:, :: 3 * _WINDOW // 4]
    steps = windows[1]
    windows = windows[:, steps.std(axis=1) > 0.05 * steps.mean(axis=1) + 1e-5]
    if not windows.shape[1]:
        return 0.0
    correlations = np.mean([_autocorrelations(feature) for feature in windows], axis=0)
    at = np.arange(_LAGS[0], _LAGS[1] - 2)  # column i is a lag of i + 1
    shorter = np.maximum.accumulate(correlations, axis=1)[:, np.round(0.7 * at).astype(int) - 1]
    peaks = correlations[:, at] >= np.maximum(correlations[:, at - 1], correlations[:, at + 1])
    return float(np.clip((correlations[:, at] - 0.5 * np.maximum(shorter, 0))[peaks].max(initial=0), 0, 1))


def _autocorrelations(windows: np.ndarray) -> np.ndarray:
    """Correlation of windows with themselves at lags of 1 to `_LAGS[1]` - 1 fine frames, shape (n, lags)."""
    centered = windows - windows.mean(axis=1, keepdims=True)
    powers = np.abs(np.asarray(scipy.fft.rfft(centered, 2 * _WINDOW))) ** 2  # scipy keeps float32, numpy does not
    products = np.asarray(scipy.fft.irfft(powers))[:, 1 : _LAGS[1]]
    energy = np.cumsum(np.square(centered), axis=1)
    heads, tails = energy[:, _WINDOW - 2 : _WINDOW - 1 - _LAGS[1] : -1], energy[:, -1:] - energy[:, : _LAGS[1] - 1]
    return products / np.sqrt(np.maximum(heads * tails, 1e-30))


def _hum_line_db(slows: list[np.ndarray], fine_hz: float) -> float | None:
    windows = []
    for slow in slows:
        size = min(_HUM_WINDOW, len(slow))
        if size >= _HUM_WINDOW // 4:
            windows += [slow[at : at + size] for at in range(0, len(slow) - size + 1, _HUM_WINDOW // 2)]
    if not windows:
        return None
    spectra = np.stack([np.abs(np.fft.rfft(window * np.hanning(len(window)), _HUM_WINDOW)) for window in windows])
    levels = 20 * np.log10(np.maximum(spectra, 1e-7))
    per_hz = _HUM_WINDOW / fine_hz
    best = 0.0
    for mains in _MAINS:
        prominences = []
        for harmonic in _HARMONICS:
            at = round(mains * harmonic * per_hz)
            near, far = round(2 * per_hz), round(8 * per_hz)
            around = np.concatenate([levels[:, at - far : at - near], levels[:, at + near : at + far]], axis=1)
            prominences.append(np.median(levels[:, at - 1 : at + 2].max(axis=1) - np.median(around, axis=1)))
        best = max(best, float(np.mean(np.sort(prominences)[1:])))
    return best
