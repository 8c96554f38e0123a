"""The settings of decoding: which clips a track gets, and which tracks cannot be used.

Reading them loads no decoder.
"""

from pydantic import Field

from audioae.config import Config
from audioae.constants import CLIP_S


class ClipConfig(Config):
    """How many clips a track gets: one more per `hop_s` seconds beyond the first clip, `max_clips` at most.

    Moving the start by 1.2 s leaves a cosine of .99 to 98 % of the demo's tracks with 24 clips, to 89 % with 8
    (tests/bench/bench_embedding.py). Fewer are faster to decode and to store.
    """

    max_clips: int = Field(default=24, ge=1, le=10_000)
    hop_s: float = Field(default=1.5, gt=0, le=60)


class DecodeConfig(Config):
    """What is too short or too quiet to use, and up to which duration a track is decoded from end to end."""

    min_s: float = Field(default=0.5, ge=0.1, le=CLIP_S)
    silence_dbfs: float = Field(default=-72.0, le=0)
    whole_up_to_s: float = Field(default=75.0, ge=0)
