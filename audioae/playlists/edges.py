"""Analyze a track's audio for a playlist in one decode: its first and last clip, and its tempo.

Convention: like `extract`, a plain function of picklable arguments, since it runs in the processes of `audio.workers`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audioae.audio.blame import blame_file
from audioae.audio.clips import longest_run
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.features import estimate_targets
from audioae.audio.mel import encode_mel, log_mel
from audioae.constants import SAMPLE_RATE


@dataclass(frozen=True)
class TrackEdges:
    """Mel codes (2, 128, 130) uint8 of the track's first and last clip; tempo in BPM, NaN without onsets."""

    edges: np.ndarray
    tempo: float


@blame_file
def analyze_edges(path: str | Path, clip_config: ClipConfig, decode_config: DecodeConfig) -> TrackEdges:
    """Decode a track's clips, keep the first and the last, and estimate the tempo of the longest run of clips.

    Raises
    ------
    AudioError
        If the file cannot be used, with a reason of `decode.REASONS`.
    """
    decoded = decode_track(path, clip_config, decode_config)
    codes, _ = encode_mel(log_mel(decoded.clips[[0, -1]]))
    return TrackEdges(codes, estimate_targets(longest_run(decoded.clips, decoded.starts_s), SAMPLE_RATE)["tempo"])
