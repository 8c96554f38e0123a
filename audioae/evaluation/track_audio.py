"""What an evaluation wants of a track's audio, from one decode: classical features, estimates, a clip to listen to.

Like `extract`, a plain function of picklable arguments: it runs in the processes of `audio.workers`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audioae.audio.clips import longest_run
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.features import clip_features, estimate_targets
from audioae.audio.preview import clip_audio
from audioae.constants import SAMPLE_RATE
from audioae.spacing import evenly_spaced

MAX_FEATURE_CLIPS = 8  # 15 ms each


@dataclass(frozen=True)
class TrackAudio:
    """`features` (93,) float32; `targets` by name; `clip` is the number of the middle clip, `audio` its MP3."""

    features: np.ndarray
    targets: dict[str, float]
    clip: int
    audio: bytes


def analyze_track(
    path: str | Path, clip_config: ClipConfig, decode_config: DecodeConfig, estimate: bool, preview: bool
) -> TrackAudio:
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
    chosen = evenly_spaced(n, MAX_FEATURE_CLIPS)
    features = np.mean([clip_features(decoded.clips[i]) for i in chosen], axis=0)
    middle = n // 2
    return TrackAudio(
        features.astype(np.float32),
        estimate_targets(longest_run(decoded.clips, decoded.starts_s), SAMPLE_RATE) if estimate else {},
        middle,
        clip_audio(decoded.clips[middle], SAMPLE_RATE) if preview else b"",
    )
