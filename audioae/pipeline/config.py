"""The settings of the chain's stages. Reading them loads neither a decoder nor torch."""

from dataclasses import dataclass

from pydantic import Field

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.config import Config
from audioae.model.train_config import TrainConfig


class MelsConfig(Config):
    """What becomes of a file. `max_stored_tracks` bounds the tracks whose mels are stored (null: all).

    Mels are needed to train; embedding reads them where they are and decodes where they are not.
    """

    clips: ClipConfig = ClipConfig()
    decode: DecodeConfig = DecodeConfig()
    max_stored_tracks: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Workers:
    """How decoding is carried out; none of it changes a result, unless a file takes longer than `timeout_s`."""

    n: int = 1
    timeout_s: float = 60.0


class TrainStageConfig(TrainConfig):
    """Training, and when to do it again. `max_clips` bounds the clips held in memory (16,640 bytes each)."""

    max_clips: int = Field(default=200_000, ge=2)
    retrain_growth: float = Field(default=0.5, ge=0)
