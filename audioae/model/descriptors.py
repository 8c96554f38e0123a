"""Spectral descriptors: statistics of a mel that need no training, and a fixed projection of them to a few units.

The descriptors of a clip are what the field computed before networks did: mel-frequency cepstral coefficients, spectral
contrast, centroid, bandwidth, flatness and level of each frame, and the energy of the high cepstral coefficients, where
the harmonics of a voice are. They tell apart single sounds and speakers, whose clips are too few and too alike for a
network to learn from.

Conventions
-----------
- Input: mels in dB, (n, 128, 130), relative to the clip's maximum. The absolute level is not used.
- Only the lowest `bands` count. The default model has 112, up to 7.2 kHz: what a lossy encoder or a low sample rate
  cuts off hardly changes its units.
- Levels are in dB, or compressed by a power law of `exponent` g: (p^g - 1) / g of the power p, scaled to be dB near
  the clip's maximum. The default model has .1, so that 20 dB count as 16 just below the maximum and as 4 just above the
  floor of -80 dB: quiet noise changes its units less.
- A value per frame contributes its mean, its standard deviation and the root mean square of its change per frame.
- The projection is a principal component analysis of the standardized descriptors of training clips; each component is
  divided by the square root of its deviation (*half-whitened*), which lies between the components as they are and full
  whitening. The units have a mean square of 1 on average.

Source: MFCC: Davis and Mermelstein 1980, as orthonormal DCT-II of dB; spectral contrast: Jiang et al. 2002, with the
largest minus the smallest of every 8 mel bands; centroid, bandwidth, flatness: Peeters 2004, over mel bands; a power
law before the cepstrum: Lim 1979, Hermansky 1990 (1/3), Kim and Stern 2016 (1/15).
"""

import math

import torch
from torch import Tensor, nn

from audioae.constants import FLOOR_DB, N_MELS

N_MFCC = 20
CONTRAST_WIDTH = 8  # mel bands
HIGH_CEPSTRUM = (20, 30, 40, 52, 64, 80, 100)  # where ranges begin; of 128 bands: periods of 13 down to 2
DB = math.log(10) / 10  # natural logarithm of the power that is 1 dB
LEAST_VARIANCE = 1e-4  # of a component, relative to a descriptor's; smaller ones are noise of the arithmetic


class Descriptors(nn.Module):
    """Compute the descriptors (n, `size`) of mels in dB (n, 128, 130)."""

    basis: Tensor
    powers: Tensor
    pool: Tensor

    def __init__(self, bands: int = N_MELS, exponent: float = 0.0):
        super().__init__()
        self.bands = bands
        self.exponent = exponent
        self.size = 3 * (N_MFCC + bands // CONTRAST_WIDTH + 4) + 2 * len(HIGH_CEPSTRUM)
        order = band = torch.arange(bands, dtype=torch.float64)
        basis = torch.cos(math.pi / bands * torch.outer(order, band + 0.5)) * math.sqrt(2 / bands)
        basis[0] /= math.sqrt(2)
        edges = torch.tensor([*HIGH_CEPSTRUM, bands])
        member = (order >= edges[:-1, None]) & (order < edges[1:, None])
        self.register_buffer("basis", basis.float(), persistent=False)
        self.register_buffer("powers", torch.stack([band**0, band, band**2]).float(), persistent=False)
        self.register_buffer("pool", (member / member.sum(dim=1, keepdim=True)).float(), persistent=False)

    def forward(self, db: Tensor) -> Tensor:
        db = db[:, : self.bands]
        levels = self._compressed(db)
        cepstrum = self.basis @ levels
        high = torch.log(self.pool @ cepstrum.square() + 1e-2)
        coarse = levels.unflatten(1, (-1, CONTRAST_WIDTH))
        contrast = coarse.amax(dim=2) - coarse.amin(dim=2)
        mean = cepstrum[:, :1] / math.sqrt(self.bands)
        frames = torch.cat([cepstrum[:, :N_MFCC], contrast, self._shape(db, mean)], dim=1)
        return torch.cat([*_mean_and_deviation(frames), _change(frames), *_mean_and_deviation(high)], dim=1)

    def _shape(self, db: Tensor, mean: Tensor) -> Tensor:
        """Centroid and bandwidth in mel bands, flatness and level of each frame, (n, 4, frames); `mean`: of levels."""
        total, first, second = (self.powers @ torch.exp(db * DB)).split(1, dim=1)
        centroid = first / total
        bandwidth = torch.sqrt((second / total - centroid.square()).clamp(min=1e-4))
        level = self._compressed(10 * torch.log10(total))
        return torch.cat([centroid, bandwidth, mean - level, level], dim=1)

    def _compressed(self, db: Tensor) -> Tensor:
        """Levels by the power law; its limit for an exponent of 0 is dB."""
        rate = self.exponent * DB
        return torch.expm1(db * rate) / rate if rate else db


class DescriptorUnits(nn.Module):
    """`n` units that are a fixed projection of the descriptors, fitted once to training clips."""

    center: Tensor
    projection: Tensor

    def __init__(self, n: int, bands: int = N_MELS, exponent: float = 0.0):
        super().__init__()
        self.descriptors = Descriptors(bands, exponent)
        self.register_buffer("center", torch.zeros(self.descriptors.size))
        self.register_buffer("projection", torch.zeros(self.descriptors.size, n))

    @torch.no_grad()
    def fit(self, db: Tensor) -> None:
        """Fit center and projection to clips in dB, shape (n, 128, 130)."""
        values = torch.cat([self.descriptors(block) for block in db.split(64)]).double()
        center = values.mean(dim=0)
        deviation = (values - center).std(dim=0, correction=0)
        scale = torch.where(deviation > 1e-3, 1 / deviation.clamp(min=1e-3), 0.0)
        standardized = (values - center) * scale
        variances, components = torch.linalg.eigh(standardized.T @ standardized / len(values))
        n = self.projection.shape[1]
        variances, components = variances.flip(0)[:n], components.flip(1)[:, :n]
        components = components * torch.sign(components.gather(0, components.abs().argmax(dim=0, keepdim=True)))
        kept = variances > LEAST_VARIANCE
        gain = torch.where(kept, variances.clamp(min=LEAST_VARIANCE) ** -0.25, 0.0)
        energy = (variances.clamp(min=0) * gain.square()).mean().clamp(min=1e-12)
        self.center.copy_(center)
        self.projection.copy_(scale[:, None] * components * gain / energy.sqrt())

    def forward(self, db: Tensor) -> Tensor:
        return (self.descriptors(db.clamp(FLOOR_DB, 0.0)) - self.center) @ self.projection


def _mean_and_deviation(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation over the frames of (n, d, frames)."""
    return values.mean(dim=2), torch.sqrt(values.var(dim=2, correction=0) + 1e-5)


def _change(values: Tensor) -> Tensor:
    """Root mean square of the change from frame to frame of (n, d, frames)."""
    return torch.sqrt(values.diff(dim=2).square().mean(dim=2) + 1e-5)
