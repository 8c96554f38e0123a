"""Repeated buffers: stretches whose samples are those of 10 to 93 ms before.

Conventions
-----------
- The similarity of two stretches of 116 ms (80 fine frames) is 2 x.y / (x.x + y.y) of their bends (see
  `audio/fine_frames.py`): 1 where they are equal, up to 0.9 where music repeats itself, near 0 in noise.
- Only the stretches where the levels of the fine frames repeat best are compared sample by sample: one per 3 s,
  at least 4 and at most 8.
- Values are `None` where no run is longer than 0.22 s, and 0 in silence.

Columns of `health.HEALTH_COLUMNS` that are measured here:

- loop: the highest similarity at a lag, less the highest one at lags below 0.93 of it: a tone resembles itself at each
  of its periods, a buffer only after its whole length
- loop_match: the highest similarity

Why bends: the high frequencies of music hardly repeat, and its low ones, which do, are weak in them.
Why not longer lags: sequenced music repeats its samples after a sixteenth note, which is 100 ms and more.
"""

from collections.abc import Sequence

import numpy as np
import scipy.fft

from audioae.audio.fine_frames import FineFrames

_LAGS = (7, 70)  # fine frames
_STRETCH, _CELL = 80, 20  # fine frames; stretches begin at every cell
_SMALLEST_FRAME = 8  # samples; below 4 kHz a frame is too short
_LOWEST = 1e-9  # a power of -90 dBFS
_SHORTER = 0.93
_BLOCK = 128  # stretches that are compared at once


def repeat_evidence(
    runs: Sequence[np.ndarray], frames: Sequence[FineFrames], sample_rate: int
) -> dict[str, float | None]:
    """Compute the columns of this module from runs, shape (n,), and their fine frames."""
    n = int(np.clip(sum(map(len, runs)) / sample_rate / 3, 4, 8))
    long_enough = [i for i, frame in enumerate(frames) if frame.size >= _SMALLEST_FRAME and _n_cells(frame) >= 4]
    if not long_enough:
        return {"loop": None, "loop_match": None}
    found = [(score, i, at) for i in long_enough for score, at in _candidates(frames[i], n)]
    segments = [_bends_at(runs[i], frames[i].size, at) for _, i, at in sorted(found, reverse=True)[:n]]
    if not segments:
        return {"loop": 0.0, "loop_match": 0.0}
    loop, match = _compare(np.stack(segments))
    return {"loop": float(np.clip(loop, 0, 1)), "loop_match": float(np.clip(match, 0, 1))}


def _n_cells(frame: FineFrames) -> int:
    return (len(frame.power) - 1 - _LAGS[1]) // _CELL


def _candidates(frame: FineFrames, n: int) -> list[tuple[float, int]]:
    """The stretches whose levels repeat best, at least one stretch apart: how well, and the fine frame of the start."""
    levels = np.sqrt(frame.power)
    levels = levels[:-1] + levels[1:]  # a buffer need not be a whole number of frames
    lags, n_cells = _LAGS[1], _n_cells(frame)
    now = levels[lags : lags + n_cells * _CELL]
    cells = now.reshape(-1, _CELL)
    mean, square = (_over_stretch(sums) / _STRETCH for sums in (cells.sum(axis=1), np.vecdot(cells, cells)))
    variance = np.maximum(square - mean**2, 0)
    earlier = np.lib.stride_tricks.sliding_window_view(levels[: len(now) + lags - _LAGS[0]], len(now))[1:]
    score = np.empty(len(mean), np.float32)
    for first in range(0, len(mean), _BLOCK):
        last = min(first + _BLOCK, len(mean))
        span = slice(first * _CELL, (last + _STRETCH // _CELL - 1) * _CELL)
        changes = (now[span] - earlier[:, span]).reshape(len(earlier), -1, _CELL)
        least = _over_stretch(np.vecdot(changes, changes)).min(axis=0)
        score[first:last] = variance[first:last] - least / (2 * _STRETCH)
    score /= variance + (0.02 * mean) ** 2 + 1e-20
    score[square < 4 * _LOWEST] = -np.inf
    chosen: list[int] = []
    for cell in np.argsort(-score, kind="stable")[: 8 * n].tolist():
        if score[cell] > -np.inf and all(abs(cell - other) >= _STRETCH // _CELL for other in chosen):
            chosen.append(cell)
    return [(float(score[cell]), lags + cell * _CELL) for cell in chosen[:n]]


def _over_stretch(cells: np.ndarray) -> np.ndarray:
    """Sums over stretches, one per cell, from those over cells."""
    pairs = cells[..., :-1] + cells[..., 1:]
    return pairs[..., :-2] + pairs[..., 2:]


def _bends_at(run: np.ndarray, size: int, at: int) -> np.ndarray:
    """The bends of a stretch, and before it those of the longest lag."""
    first = (at - _LAGS[1]) * size
    return np.diff(run[first : first + (_LAGS[1] + _STRETCH) * size + 2], 2)


def _compare(bends: np.ndarray) -> tuple[float, float]:
    """`loop` and `loop_match` of segments, shape (n, samples)."""
    size = bends.shape[1] // (_LAGS[1] + _STRETCH)
    longest, shortest, first = _LAGS[1] * size, _LAGS[0] * size, _LAGS[0] * size // 3
    n_fft: int = scipy.fft.next_fast_len(bends.shape[1], real=True)  # pyright: ignore[reportAssignmentType]
    now = np.asarray(scipy.fft.rfft(bends[:, longest:], n_fft))
    products = np.asarray(scipy.fft.irfft(np.asarray(scipy.fft.rfft(bends, n_fft)) * now.conj(), n_fft))
    energy = np.cumsum(np.square(bends, dtype=np.float64), axis=1)
    energy = np.concatenate([np.zeros((len(bends), 1)), energy], axis=1)
    of_lag = energy[:, -1 - longest :] - energy[:, : longest + 1]  # column i is a lag of `longest` - i
    similarity = (2 * products[:, : longest + 1] / np.maximum(of_lag + of_lag[:, -1:], 1e-12))[:, ::-1]
    lags = np.arange(shortest, longest + 1)
    shorter = np.maximum.accumulate(similarity[:, first:], axis=1)[:, (_SHORTER * lags).astype(int) - first]
    at_lags = similarity[:, shortest:]
    return float((at_lags - np.maximum(shorter, 0)).max()), float(at_lags.max())
