"""The settings of decoding: which clips a track gets, and which tracks cannot be used.

Importing them loads no decoder.
"""

from pydantic import Field

from audioae.config import Config
from audioae.constants import CLIP_S

SHORT_S = 0.5
"""Sounds that are shorter are repeated with pauses (`clips.fill_clip`); once it was the default of `min_s`."""


class ClipConfig(Config):
    """How many clips a track gets: one more per `hop_s` seconds beyond the first clip, `max_clips` at most.

    With 24 clips, 98 % of the demo's tracks keep a cosine of .99 to themselves when the start moves by 1.2 s; with 8
    clips, 89 % do (tests/bench/bench_embedding.py). Fewer clips decode faster and take less storage.
    """

    max_clips: int = Field(default=24, ge=1, le=10_000)
    hop_s: float = Field(default=1.5, gt=0, le=60)


class DecodeConfig(Config):
    """Limits below which a track is too short or too quiet to use, and how much of a track is decoded.

    min_s : shorter tracks are rejected. Of 0.05 s there are two frames of a mel; less is a click.
    silence_dbfs : quieter tracks are rejected.
    whole_up_to_s : longer tracks are not decoded from end to end; only their clips are read.
    max_missing : tracks that lost a larger share of their length to damage are rejected. Of the others, what is sound
        is used, and the check corrupt reports them. The default, 2 %, is 1 s of a 50-s track and 4 s of a 200-s one.
    """

    min_s: float = Field(default=0.05, ge=0.05, le=CLIP_S)
    silence_dbfs: float = Field(default=-72.0, le=0)
    whole_up_to_s: float = Field(default=75.0, ge=0)
    max_missing: float = Field(default=0.02, ge=0, le=1)


class DecodeLimits(Config):
    """What a file may cost; a file beyond it is an `AudioError` "too_large" before it is decoded. None: no limit.

    max_s : seconds of audio. A few kilobytes of flac can hold hours of silence.
    max_sample_rate, max_channels : what a header may claim.

    Why not in `DecodeConfig`: that one decides what a store contains, and its values name the store's parts.
    """

    max_s: float | None = Field(default=None, gt=0)
    max_sample_rate: int | None = Field(default=None, ge=1_000)
    max_channels: int | None = Field(default=None, ge=1)


class WindowConfig(Config):
    """What a pretrained network takes: mono waveforms of `seconds` at `sample_rate` Hz (see `windows.py`)."""

    sample_rate: int = Field(ge=4_000, le=192_000)
    seconds: float = Field(default=CLIP_S, ge=0.05, le=60)

    @property
    def n_samples(self) -> int:
        return round(self.seconds * self.sample_rate)


NO_LIMITS = DecodeLimits()
