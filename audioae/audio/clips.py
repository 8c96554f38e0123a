"""Choose where in a track its clips are taken.

Conventions
-----------
- A clip is 3.0 s of mono float32 at 22,050 Hz: 66,150 samples.
- Starts are seconds from the beginning of the track, on the sample grid: `start * SAMPLE_RATE` is a whole number.
- The plan depends on the duration alone, so the same track gives the same clips on every machine.

Why: a track is divided into as many equal parts as it gets clips, and each clip is centered in its part. Every moment
of the track is then near a clip, the intro and the fade-out weigh no more than the rest, and cutting a second off the
start moves every clip by less than a second. Clips overlap where the parts are shorter than a clip; the first and the
last clip are then moved inside the track, so that short tracks are covered from end to end.

Why a sound below 3 s is repeated: a mel is relative to its maximum with a floor 80 dB below, and zeros would fill the
rest of the clip with that floor. 190 ESC-10 sounds were cut to 1 s and searched among the 3-s clips by mean and
deviation of their mel bands: the mean reciprocal rank of the right clip was .72 with repetition and .19 with zeros.
Why one below 0.5 s begins once a second: end to end, 0.1 s would become a buzz of 10 Hz. `python -m tests.bench fill`
compares them by retrieval.
"""

import numpy as np

from audioae.audio.config import SHORT_S, ClipConfig
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE

RUN_S = 30.0


def plan_clips(duration_s: float, config: ClipConfig) -> np.ndarray:
    """Choose the starts of a track's clips: deterministic, ascending, evenly spaced.

    Parameters
    ----------
    duration_s : float
        Duration of the track. A track below 3.0 s gets one clip, which the decoder has to fill.
    config : ClipConfig
        Number and spacing of the clips.

    Returns
    -------
    starts_s : np.ndarray, shape (n_clips,), float64
        `0 <= starts_s <= max(duration_s - 3, 0)`, on the sample grid.

    >>> plan_clips(24.0, ClipConfig(max_clips=8))
    array([ 0.,  3.,  6.,  9., 12., 15., 18., 21.])
    """
    last = max(int(np.floor(round(duration_s * SAMPLE_RATE, 6))) - CLIP_SAMPLES, 0)
    n_clips = min(1 + int(last / SAMPLE_RATE / config.hop_s), config.max_clips)
    middles = (np.arange(n_clips) + 0.5) * (last + CLIP_SAMPLES) / n_clips
    starts = np.clip(np.round(middles - CLIP_SAMPLES / 2), 0, last)
    return starts / SAMPLE_RATE


def fill_clip(waveform: np.ndarray, n_samples: int = CLIP_SAMPLES, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Repeat a sound until it fills a clip: end to end, or once a second with pauses if it is below `SHORT_S`.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,), float32
        Not empty. Samples beyond a clip are cut off.
    n_samples, sample_rate : int
        Length of a clip, and the rate of both.

    Returns
    -------
    clip : np.ndarray, shape (n_samples,), float32

    >>> clip = fill_clip(np.ones(2_205, np.float32))
    >>> [int(clip[second * 22_050 :][:22_050].sum()) for second in range(3)]
    [2205, 2205, 2205]
    """
    if len(waveform) < SHORT_S * sample_rate:
        waveform = np.pad(waveform, (0, sample_rate - len(waveform)))
    return np.resize(waveform, n_samples)


def longest_run(clips: np.ndarray, starts_s: np.ndarray) -> np.ndarray:
    """Join the longest run of clips without a gap between them into one waveform, and cut it to its middle `RUN_S`.

    Parameters
    ----------
    clips : np.ndarray, shape (n_clips, n_samples), float32
    starts_s : np.ndarray, shape (n_clips,)
        Starts of the clips in seconds, ascending.

    Returns
    -------
    waveform : np.ndarray, shape (n,), float32, at 22,050 Hz
    """
    starts = np.round(starts_s * SAMPLE_RATE).astype(int)
    runs = np.split(np.arange(len(starts)), np.flatnonzero(np.diff(starts) > clips.shape[1]) + 1)
    run = max(runs, key=len)
    begin = starts[run[0]]
    waveform = np.zeros(starts[run[-1]] - begin + clips.shape[1], np.float32)
    for i in run:
        waveform[starts[i] - begin : starts[i] - begin + clips.shape[1]] = clips[i]
    limit = int(RUN_S * SAMPLE_RATE)
    first = max(len(waveform) - limit, 0) // 2
    return waveform[first : first + limit]
