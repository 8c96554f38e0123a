"""Analyze a track's audio for the evaluation in one decode: classical features, estimates, and a clip to listen to.

Convention: like `extract`, a plain function of picklable arguments, since it runs in the processes of `audio.workers`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from audioae.audio.blame import blame_file
from audioae.audio.clips import longest_run
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.features import clip_features, estimate_targets
from audioae.audio.preview import clip_audio
from audioae.constants import CLIP_SAMPLES, SAMPLE_RATE
from audioae.spacing import evenly_spaced

MAX_FEATURE_CLIPS = 8  # 15 ms per clip


@dataclass(frozen=True)
class TrackAudio:
    """`features` (93,) float32; `targets` by name; `clip`, the number of the middle clip, and `audio`, its MP3."""

    features: np.ndarray
    targets: dict[str, float]
    clip: int
    audio: bytes


def warm_up(
    path: str | Path, clip_config: ClipConfig, decode_config: DecodeConfig, estimate: bool, preview: bool
) -> None:
    """Let librosa compile what it compiles when it is first called; takes the arguments of `analyze_track`.

    Why: that takes a worker process ten seconds, and a minute where the machine is busy, which is no track's fault.
    """
    _compile(estimate)


@cache
def _compile(estimate: bool) -> None:
    noise = np.random.default_rng(0).standard_normal(CLIP_SAMPLES).astype(np.float32) / 10
    clip_features(noise)
    if estimate:
        estimate_targets(noise, SAMPLE_RATE)


@blame_file
def analyze_track(
    path: str | Path, clip_config: ClipConfig, decode_config: DecodeConfig, estimate: bool, preview: bool
) -> TrackAudio:
    """Compute the features of at most `MAX_FEATURE_CLIPS` clips and, on request, estimates and a preview.

    Parameters
    ----------
    path : str or Path
    clip_config, decode_config : ClipConfig, DecodeConfig
        Settings of the catalog, so that the clips are the embedded ones.
    estimate : bool
        Whether to estimate tempo and energy, from the longest run of overlapping clips.
    preview : bool
        Whether to encode the middle clip as MP3; otherwise `audio` is empty.

    Raises
    ------
    AudioError
        If the file cannot be used, with a reason of `decode.REASONS`.
    """
    decoded = decode_track(path, clip_config, decode_config)
    n = len(decoded.clips)
    chosen = evenly_spaced(n, MAX_FEATURE_CLIPS, ends=True)
    features = np.mean([clip_features(decoded.clips[i]) for i in chosen], axis=0)
    middle = n // 2
    return TrackAudio(
        features.astype(np.float32),
        estimate_targets(longest_run(decoded.clips, decoded.starts_s), SAMPLE_RATE) if estimate else {},
        middle,
        clip_audio(decoded.clips[middle], SAMPLE_RATE) if preview else b"",
    )
