"""Configs of the heads, which turn the encoder's maps into one vector per clip.

`flat` is a linear layer on the whole deepest map. `stats` pools over time first: mean and deviation per band of a
middle map and of the deepest map, and mean, deviation and mean absolute difference of the input mel. Batch norm and a
linear layer follow.

Why `stats` is the default: pooled statistics do not depend on when in the clip something happens. A linear layer on the
map does, and its retrieval is worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from audioae.config import Config
from audioae.constants import N_MELS

if TYPE_CHECKING:
    from torch import nn


class FlatHeadConfig(Config):
    """A linear layer on the flattened deepest map."""

    kind: Literal["flat"]

    def build(self, channels: Sequence[int], out_dim: int) -> nn.Module:
        from audioae.model.head_nets import FlatHead

        return FlatHead(channels, out_dim)


class StatsHeadConfig(Config):
    """Statistics pooled over time, and the modulation spectrum of `modulation` coarse bands (0: no such spectrum)."""

    kind: Literal["stats"]
    modulation: int = Field(default=0, ge=0, le=N_MELS)

    @model_validator(mode="after")
    def _bands_divide(self):
        if self.modulation and N_MELS % self.modulation:
            raise ValueError(f"modulation must divide {N_MELS}, got {self.modulation}")
        return self

    def build(self, channels: Sequence[int], out_dim: int) -> nn.Module:
        from audioae.model.head_nets import StatsHead

        return StatsHead(channels, out_dim, self.modulation)


HeadConfig = Annotated[FlatHeadConfig | StatsHeadConfig, Field(discriminator="kind")]
