"""The settings of the pipeline's stages. Importing this module loads neither a decoder nor torch."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from audioae.audio.config import ClipConfig, DecodeConfig, DecodeLimits
from audioae.config import Config
from audioae.model.train_config import TrainConfig


class MelsConfig(Config):
    """How a file becomes mels. `max_stored_tracks` limits the number of tracks whose mels are stored (null: all).

    Training needs stored mels; embedding reads them where they are stored, and decodes the other tracks.
    """

    clips: ClipConfig = ClipConfig()
    decode: DecodeConfig = DecodeConfig()
    max_stored_tracks: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class Retry:
    """How often a track is tried that failed for a reason of the moment (unreadable, timeout, crashed, out of memory).

    After `attempts` runs in which it failed, it is rejected. A run leaves it out while less than `pause_s` seconds have
    passed since it failed last; 0 tries it in every run.
    """

    attempts: int = 3
    pause_s: float = 3600.0


@dataclass(frozen=True)
class Workers:
    """How files are decoded. Results depend on it in one way: a file that takes over `timeout_s` has failed."""

    n: int = 1
    timeout_s: float = 60.0
    retry: Retry = Retry()


class OutsideLimits(DecodeLimits):
    """What a file from outside the catalog may cost.

    timeout_s : seconds until its worker process is killed.
    memory_mb : what decoding and embedding it may need; None: no limit.
    """

    timeout_s: float = Field(default=60.0, gt=0)
    memory_mb: int | None = Field(default=None, ge=64)


class TrainStageConfig(TrainConfig):
    """How to train, and when to train again.

    `max_clips` limits the clips in memory (16,640 bytes each): of a larger catalog, a sample of the tracks is trained
    on. null: all clips, as a stream. A limit that would take more than half of the free memory streams them too.

    `retrain: auto`: a new model is trained once the catalog has grown by a share of `retrain_growth`; before that, the
    old one is kept. `drift`: also if the new tracks were found to differ from those of the training
    (`pipeline/drift.py`). `never`: the old one is kept however much the catalog grows. Other settings of the model or
    the training always train a new one.
    """

    ADDED: ClassVar[dict[str, Any]] = {**TrainConfig.ADDED, "retrain": "auto"}

    max_clips: int | None = Field(default=200_000, ge=2)
    retrain_growth: float = Field(default=0.5, ge=0)
    retrain: Literal["auto", "never", "drift"] = "auto"
