"""The windows of a track that a pretrained network gets: cut from what is decoded for the clips, at the network's rate.

Conventions
-----------
- A window is mono float32, `seconds` long at `sample_rate`. It is resampled from the file's own rate, not from the
  clips at 22,050 Hz: a network at 48 kHz gets what is above 11 kHz too.
- Windows of up to 3 s divide the clips: 3 windows of 0.96 s per clip. Longer ones are as many as have the length of
  all clips together: 7 windows of 10 s instead of 24 clips of 3 s, evenly spaced over the track.
- A track that is shorter than a window is repeated to fill it, as `clips.fill_clip` does.

Why not the clips' spans in every case: they are 3.2 s long, and what is between them in a track above `whole_up_to_s`
is not decoded.
"""

from collections.abc import Sequence

import numpy as np
import soxr

from audioae.audio.clips import fill_clip, plan_clips
from audioae.audio.config import ClipConfig, WindowConfig
from audioae.constants import CLIP_S

MARGIN_S = 0.05  # the resampler reaches 32 ms at 8 kHz
_SLACK = 1e-3  # s; a clip begins on the grid of 22,050 Hz, and not on that of the file


def plan_windows(duration_s: float, starts_s: np.ndarray, clips: ClipConfig, window: WindowConfig) -> np.ndarray:
    """Choose the starts of a track's windows, in seconds: deterministic, evenly spaced.

    Parameters
    ----------
    duration_s : float
        Duration of the track.
    starts_s : np.ndarray, shape (n_clips,)
        Starts of its clips.
    clips : ClipConfig
        What the clips were planned with.
    window : WindowConfig

    Returns
    -------
    starts_s : np.ndarray, shape (n,), float64

    >>> plan_windows(60.0, np.array([0.0, 30.0]), ClipConfig(), WindowConfig(sample_rate=16_000, seconds=1.5))
    array([ 0. ,  1.5, 30. , 31.5])
    """
    seconds = window.seconds
    if seconds <= CLIP_S:
        clip_s = min(CLIP_S, duration_s)
        n = max(int(clip_s / seconds + 1e-9), 1)
        inside = (np.arange(n) + 0.5) * clip_s / n - min(seconds, clip_s) / 2
        return (starts_s[:, None] + inside).ravel()
    scale = seconds / CLIP_S
    config = ClipConfig(max_clips=max(int(clips.max_clips / scale + 1e-9), 1), hop_s=clips.hop_s)
    return plan_clips(duration_s / scale, config) * scale


def cut_windows(
    starts_s: np.ndarray,
    window: WindowConfig,
    ranges: Sequence[tuple[int, int]],
    waveforms: Sequence[np.ndarray],
    sample_rate: int,
) -> np.ndarray | None:
    """Cut windows out of decoded ranges of a track, and resample them.

    Parameters
    ----------
    starts_s : np.ndarray, shape (n,)
    window : WindowConfig
    ranges : sequence of (start, stop)
        Frames of the file.
    waveforms : sequence of np.ndarray, float32
        The mono samples of each range.
    sample_rate : int
        Of the file.

    Returns
    -------
    windows : np.ndarray, shape (n, n_samples), float32, or None
        None if a window is not within one of the ranges.
    """
    windows = np.empty((len(starts_s), window.n_samples), np.float32)
    slack, margin, end = round(_SLACK * sample_rate), round(MARGIN_S * sample_rate), max(stop for _, stop in ranges)
    for row, start_s in zip(windows, starts_s.tolist(), strict=True):
        first = round(start_s * sample_rate)
        last = min(first + round(window.seconds * sample_rate), end)
        i = next((i for i, (a, b) in enumerate(ranges) if a <= first + slack and last - slack <= b), None)
        if i is None:
            return None
        begin, stop = ranges[i]
        low, high = max(first - margin, begin), min(last + margin, stop)
        row[:] = _resample(waveforms[i][low - begin : high - begin], sample_rate, window, first - low)
    return windows


def span_of(start_s: float, window: WindowConfig, sample_rate: int, n_frames: int) -> tuple[int, int]:
    """The frames of the file that a window needs, with a margin for the resampler."""
    margin = start_s - MARGIN_S, start_s + window.seconds + MARGIN_S
    return max(int(margin[0] * sample_rate), 0), min(int(margin[1] * sample_rate) + 1, n_frames)


def _resample(waveform: np.ndarray, sample_rate: int, window: WindowConfig, skip: int) -> np.ndarray:
    """One window, which begins at the frame `skip` of `waveform`; what is missing at the end is filled."""
    if sample_rate != window.sample_rate:
        waveform = soxr.resample(waveform, sample_rate, window.sample_rate, quality="HQ")
        skip = round(skip * window.sample_rate / sample_rate)
    part = waveform[max(skip, 0) :][: window.n_samples]
    if window.n_samples - len(part) <= _SLACK * window.sample_rate:  # rounding at the end of the track
        return np.pad(part, (0, window.n_samples - len(part)))
    return fill_clip(part, window.n_samples, window.sample_rate)
