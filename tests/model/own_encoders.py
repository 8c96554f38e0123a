"""Encoders that a user may write: one that keeps the contract, and some that break a promise."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Pooling(nn.Module):
    """Averages of 2 x 2 bins and a mix of channels, at each depth."""

    def __init__(self, channels: Sequence[int], gain: float = 1.0):
        super().__init__()
        self.gain = gain
        self.mixes: Any = nn.ModuleList(nn.Conv2d(wide, deep, 1) for wide, deep in pairwise((1, *channels)))

    def forward(self, mels: Tensor) -> list[Tensor]:
        maps = [F.pad(mels, (0, 14)).unsqueeze(1)]
        for mix in self.mixes:
            maps.append(F.relu(self.gain * mix(F.avg_pool2d(maps[-1], 2))))
        return maps


class Alone(Pooling):
    def forward(self, mels: Tensor):
        return super().forward(mels)[-1]


class Shallow(Pooling):
    def forward(self, mels: Tensor) -> list[Tensor]:
        return super().forward(mels)[:-1]


class Changed(Pooling):
    def forward(self, mels: Tensor) -> list[Tensor]:
        return super().forward(2 * mels)


class Double(Pooling):
    def forward(self, mels: Tensor) -> list[Tensor]:
        first, *others = super().forward(mels)
        return [first, *(each.double() for each in others)]


class Infinite(Pooling):
    def forward(self, mels: Tensor) -> list[Tensor]:
        first, *others = super().forward(mels)
        return [first, *(each / 0 for each in others)]


class Noisy(Pooling):
    def forward(self, mels: Tensor) -> list[Tensor]:
        first, *others = super().forward(mels)
        return [first, *(each + torch.rand_like(each) for each in others)]


class OverTheBatch(Pooling):
    def forward(self, mels: Tensor) -> list[Tensor]:
        first, *others = super().forward(mels)
        return [first, *(each + each.mean(dim=0) for each in others)]


class Tied(Pooling):
    def __init__(self, channels: Sequence[int]):
        super().__init__(channels)
        self.again = nn.Parameter(self.mixes[0].weight)
        self.again = self.mixes[0].weight


class Unused(Pooling):
    def __init__(self, channels: Sequence[int]):
        super().__init__(channels)
        self.more = nn.Linear(2, 2)


class Drawn(Pooling):
    def __init__(self, channels: Sequence[int]):
        super().__init__(channels)
        generator = torch.Generator()
        generator.seed()
        nn.init.normal_(self.mixes[0].bias, generator=generator)


def function(channels: Sequence[int]) -> None:
    raise AssertionError("what is no network is never called")
