"""What an evaluation wants of a track's audio, from one decode: classical features, estimates, a clip to listen to.

Like `extract`, a plain function of picklable arguments: it runs in the processes of `audio.workers`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audioae.audio.clips import SAMPLE_RATE, ClipConfig
from audioae.audio.decode import DecodeConfig, decode_track
from audioae.audio.features import clip_features, estimate_targets
from audioae.audio.preview import clip_audio

MAX_FEATURE_CLIPS = 8  # 15 ms each
ESTIMATE_S = 30.0  # of the middle of the track


@dataclass(frozen=True)
class Description:
    """`features` (93,) float32; `targets` by name; `clip` is the number of the middle clip, `audio` its MP3."""

    features: np.ndarray
    targets: dict[str, float]
    clip: int
    audio: bytes


def describe(
    path: str | Path, clip_config: ClipConfig, decode_config: DecodeConfig, estimate: bool, preview: bool
) -> Description:
    """Features of at most `MAX_FEATURE_CLIPS` of the track's clips, and what else is asked for.

    Parameters
    ----------
    path : str or Path
    clip_config, decode_config : ClipConfig, DecodeConfig
        Those of the catalog: the clips are the ones that were embedded.
    estimate : bool
        Whether to estimate targets, from one long clip of the middle of the track.
    preview : bool
        Whether to encode the middle clip as MP3; else `audio` is empty.

    Raises
    ------
    AudioError
        With a reason of `decode.REASONS`.
    """
    decoded = decode_track(path, clip_config, decode_config)
    n = len(decoded.clips)
    chosen = np.unique(np.linspace(0, n - 1, min(n, MAX_FEATURE_CLIPS)).round().astype(int))
    features = np.mean([clip_features(decoded.clips[i]) for i in chosen], axis=0)
    middle = n // 2
    return Description(
        features.astype(np.float32),
        estimate_targets(stretch(decoded.clips, decoded.starts_s), SAMPLE_RATE) if estimate else {},
        middle,
        clip_audio(decoded.clips[middle], SAMPLE_RATE) if preview else b"",
    )


def stretch(clips: np.ndarray, starts_s: np.ndarray) -> np.ndarray:
    """The longest run of clips that follow one another without a gap, as one waveform, `ESTIMATE_S` at most."""
    starts = np.round(starts_s * SAMPLE_RATE).astype(int)
    runs = np.split(np.arange(len(starts)), np.flatnonzero(np.diff(starts) > clips.shape[1]) + 1)
    run = max(runs, key=len)
    begin = starts[run[0]]
    waveform = np.zeros(starts[run[-1]] - begin + clips.shape[1], np.float32)
    for i in run:
        waveform[starts[i] - begin : starts[i] - begin + clips.shape[1]] = clips[i]
    most = int(ESTIMATE_S * SAMPLE_RATE)
    first = max(len(waveform) - most, 0) // 2
    return waveform[first : first + most]
