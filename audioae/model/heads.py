"""Heads: from the encoder's maps to one vector per clip.

`flat` is a Linear on the whole deepest map. `stats` pools over time first: mean and deviation per band of a middle and
of the deepest map, and mean, deviation and mean absolute difference of the input mel; then batch norm and a Linear.

Why stats is the default: pooled statistics do not depend on where in the clip something happens. A Linear on the map
does, and gives worse retrieval.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from audioae.config import Config
from audioae.model.blocks import N_FRAMES, N_MELS, map_shape


class FlatHead(nn.Module):
    """Linear on the flattened deepest map."""

    def __init__(self, channels: Sequence[int], out_dim: int):
        super().__init__()
        size, bands, frames = map_shape(channels, len(channels))
        self.linear = nn.Linear(size * bands * frames, out_dim)

    def forward(self, maps: list[Tensor]) -> Tensor:
        return self.linear(maps[-1].float().flatten(1))


class StatsHead(nn.Module):
    """Statistics over time of two depths and of the input, batch norm, Linear."""

    def __init__(self, channels: Sequence[int], out_dim: int):
        super().__init__()
        self.depths = sorted({(len(channels) + 1) // 2, len(channels)})
        sizes = [map_shape(channels, depth) for depth in self.depths]
        self.norm = nn.BatchNorm1d(3 * N_MELS + sum(2 * size * bands for size, bands, _ in sizes))
        self.linear = nn.Linear(self.norm.num_features, out_dim)

    def forward(self, maps: list[Tensor]) -> Tensor:
        mel = maps[0][:, 0, :, :N_FRAMES].float()
        parts = [*_moments(mel.unsqueeze(3)), mel.diff(dim=2).abs().mean(dim=2)]
        for depth in self.depths:
            parts += _moments(maps[depth].permute(0, 2, 3, 1).float())
        return self.linear(self.norm(torch.cat(parts, dim=1)))


class FlatHeadConfig(Config):
    """Linear on the flattened deepest map."""

    kind: Literal["flat"]

    def build(self, channels: Sequence[int], out_dim: int) -> nn.Module:
        return FlatHead(channels, out_dim)


class StatsHeadConfig(Config):
    """Pooled statistics over time."""

    kind: Literal["stats"]

    def build(self, channels: Sequence[int], out_dim: int) -> nn.Module:
        return StatsHead(channels, out_dim)


HeadConfig = Annotated[FlatHeadConfig | StatsHeadConfig, Field(discriminator="kind")]


def _moments(values: Tensor) -> list[Tensor]:
    """Mean and deviation over frames of (n, bands, frames, channels), flat.

    Products with a row of 1 / frames: 4 times as fast as `mean` and `var` along an inner axis. The gradient is finite
    where nothing varies.
    """
    row = values.new_full((1, values.shape[2]), 1 / values.shape[2])
    mean = row @ values
    variance = row @ values.square() - mean.square()
    return [mean.flatten(1), torch.sqrt(variance.clamp(min=0.0) + 1e-5).flatten(1)]
