"""The modules behind `heads.py`: from the encoder's maps to one vector per clip."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioae.constants import N_FRAMES, N_MELS
from audioae.model.blocks import MelNorm, map_shape
from audioae.model.descriptors import DescriptorUnits
from audioae.model.tempogram import TempoUnits

N_RATES = 10


class FlatHead(nn.Module):
    """A linear layer on the flattened deepest map."""

    def __init__(self, channels: Sequence[int], out_dim: int):
        super().__init__()
        size, bands, frames = map_shape(channels, len(channels))
        self.linear = nn.Linear(size * bands * frames, out_dim)

    def forward(self, maps: list[Tensor]) -> Tensor:
        return self.linear(maps[-1].float().flatten(1))


class PooledStats(nn.Module):
    """Statistics over time of two depths and of the input, and the input's modulation spectrum: (n, `n_features`)."""

    def __init__(self, channels: Sequence[int], modulation: int = 0):
        super().__init__()
        self.depths = sorted({(len(channels) + 1) // 2, len(channels)})
        sizes = [map_shape(channels, depth) for depth in self.depths]
        self.modulation = Modulation(modulation) if modulation else None
        self.n_features = 3 * N_MELS + sum(2 * size * bands for size, bands, _ in sizes)
        self.n_features += self.modulation.n_features if self.modulation else 0

    def forward(self, maps: list[Tensor]) -> Tensor:
        mel = maps[0][:, 0, :, :N_FRAMES].float()
        parts = [*_moments(mel.unsqueeze(3)), mel.diff(dim=2).abs().mean(dim=2)]
        for depth in self.depths:
            parts += _moments(maps[depth].permute(0, 2, 3, 1).float())
        if self.modulation:
            parts.append(self.modulation(mel))
        return torch.cat(parts, dim=1)


class StatsHead(nn.Module):
    """Pooled statistics, then batch norm and a linear layer."""

    def __init__(self, channels: Sequence[int], out_dim: int, modulation: int = 0):
        super().__init__()
        self.pooled = PooledStats(channels, modulation)
        self.norm = nn.BatchNorm1d(self.pooled.n_features)
        self.linear = nn.Linear(self.pooled.n_features, out_dim)

    def forward(self, maps: list[Tensor]) -> Tensor:
        return self.linear(self.norm(self.pooled(maps)))


class FusedHead(nn.Module):
    """Learned units behind pooled statistics and a hidden layer, then fixed units: (n, `out_dim`).

    Of the fixed ones, the last `tempo` are units of the tempo; the others are units of spectral descriptors.
    """

    mel_mean: Tensor
    mel_std: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        out_dim: int,
        learned: int,
        hidden: int,
        modulation: int = 0,
        *,
        bands: int = N_MELS,
        exponent: float = 0.0,
        tempo: int = 0,
    ):
        super().__init__()
        self.pooled = PooledStats(channels, modulation)
        self.norm = nn.BatchNorm1d(self.pooled.n_features)
        self.hidden = nn.Linear(self.pooled.n_features, hidden)
        self.hidden_norm = nn.BatchNorm1d(hidden)
        self.linear = nn.Linear(hidden, learned)
        self.fixed = DescriptorUnits(out_dim - learned - tempo, bands, exponent)
        self.tempo = TempoUnits(tempo, bands) if tempo else None
        self.register_buffer("mel_mean", torch.zeros(N_MELS, 1))
        self.register_buffer("mel_std", torch.ones(N_MELS, 1))

    def fit(self, mel_norm: MelNorm, mels: Tensor) -> None:
        """Fit the fixed units to clips in dB, (n, 128, 130); `mel_norm` is how maps were normalized."""
        self.mel_mean.copy_(mel_norm.mean)
        self.mel_std.copy_(mel_norm.std)
        self.fixed.fit(mels)
        if self.tempo is not None:
            self.tempo.fit(mels)

    def forward(self, maps: list[Tensor]) -> Tensor:
        hidden = F.relu(self.hidden_norm(self.hidden(self.norm(self.pooled(maps)))))
        db = maps[0][:, 0, :, :N_FRAMES].float() * self.mel_std + self.mel_mean
        fixed = [self.fixed(db)] if self.tempo is None else [self.fixed(db), self.tempo(db)]
        return torch.cat([self.linear(hidden), *fixed], dim=1)


class Modulation(nn.Module):
    """Modulation spectrum: log power of the fluctuation of coarse mel bands at each rate, shape (n, bands x rates).

    The rates are `N_RATES` bands of equal width on a log scale, from 1/3 Hz (once per clip) to 21 Hz.
    """

    basis: Tensor
    pool: Tensor

    def __init__(self, n_bands: int):
        super().__init__()
        self.n_bands = n_bands
        self.n_features = n_bands * N_RATES
        rates = torch.arange(1, N_FRAMES // 2)
        phase = 2 * torch.pi * torch.outer(torch.arange(N_FRAMES), rates) / N_FRAMES
        window = torch.hann_window(N_FRAMES).unsqueeze(1) * (2 / N_FRAMES)
        self.register_buffer("basis", torch.cat([torch.cos(phase), torch.sin(phase)], dim=1) * window, persistent=False)
        edges = torch.logspace(0, math.log10(len(rates)), N_RATES + 1)
        member = F.one_hot(torch.bucketize(rates.float(), edges[1:-1]), N_RATES).float()
        self.register_buffer("pool", member / member.sum(dim=0), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        bands = mel.unflatten(1, (self.n_bands, -1)).mean(dim=2)
        bands = bands - bands.mean(dim=2, keepdim=True)
        cos, sin = (bands @ self.basis).chunk(2, dim=2)
        return torch.log((cos.square() + sin.square()) @ self.pool + 1e-4).flatten(1)


def _moments(values: Tensor) -> list[Tensor]:
    """Compute mean and deviation over the frames of (n, bands, frames, channels), each flattened to (n, -1).

    Why by a product with a row of 1 / frames: that is 4 times as fast as `mean` and `var` along an inner axis. The
    constant under the root keeps the gradient finite where nothing varies.
    """
    row = values.new_full((1, values.shape[2]), 1 / values.shape[2])
    mean = row @ values
    variance = row @ values.square() - mean.square()
    return [mean.flatten(1), torch.sqrt(variance.clamp(min=0.0) + 1e-5).flatten(1)]
