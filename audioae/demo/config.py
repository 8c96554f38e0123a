"""The settings of the demo catalog."""

from typing import Self

from pydantic import Field, model_validator

from audioae.config import Config

PLANTED, BEGUN = "planted.json", ".synth"  # files of a finished demo catalog, and of one that is not finished


class SynthConfig(Config):
    """The demo catalog. The same config gives the same music, whatever the number of workers (None: one per core)."""

    n_tracks: int = Field(default=176, ge=12, le=100_000)  # at least one per style
    seed: int = Field(default=0, ge=0)
    min_s: float = Field(default=20.0, ge=4.0)
    max_s: float = Field(default=30.0, le=600.0)
    faults: bool = True
    workers: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_s > self.max_s:
            raise ValueError(f"min_s {self.min_s:g} is above max_s {self.max_s:g}")
        return self
