"""Tempogram: how well each tempo explains when the sounds of a clip begin; and units of it that need no training.

Conventions
-----------
- Input: mels in dB, (n, 128, 130), relative to the clip's maximum. Only the lowest `bands` count.
- Onset strength: the rise from frame to frame in dB, averaged over every 8 mel bands, at most 15 dB, and smoothed by a
  Gaussian of .7 frames.
- A tempo's score is the mean autocorrelation of the onset strength, over the coarse bands and over 1, 2, 3 and 4 of its
  periods so far as they fit into the clip. 1: the clip repeats itself exactly; 0: it does not.
- A posterior is what the scores leave of a prior: softmax(30 x score) x prior. The prior is log-normal around 118 BPM.
- The units are the lowest coefficients of the posterior's cosine transform over the logarithm of the tempo, without the
  constant one; centered, and with a mean square of `SIZE`^2 on average.

Why a posterior: an embedding is a mean over clips and is read by linear models, and no linear function finds the tempo
with the highest score. Why the units are small: a linear model rescales them, and a similarity by tempo is no better
(docs/embeddings.md).

Source: tempo by autocorrelation, with a log-normal prior: Ellis, "Beat tracking by dynamic programming", Journal of New
Music Research 36, 2007.
"""

import math

import torch
from torch import Tensor, nn

from audioae.constants import HOP_LENGTH, N_FRAMES, N_MELS, SAMPLE_RATE

N_TEMPOS = 96
SLOWEST, FASTEST = 40.0, 240.0  # BPM
CENTER, WIDTH = 118.0, 0.45  # of the prior, in BPM and octaves
PERIODS = (1, 2, 3, 4)
LONGEST = 0.85  # of the clip: at longer lags too few frames are left
COARSE, CAP_DB = 8, 15.0
SMOOTHING = 0.7  # frames: a beat that falls between two frames, or a tempo between two, still counts
LEAST_VARIANCE = 1e-3  # of an onset strength, in dB^2, so that rounding has no tempo
SHARPNESS = 30.0
SIZE = 0.2
LEAST_DEVIATION = 0.1  # of a coefficient; catalogs have .4 to .7, and one without rhythm must not blow up a new clip's


class Tempogram(nn.Module):
    """Compute the scores (n, 96) of `log_tempos`, in octaves above 1 BPM, of mels in dB (n, 128, 130)."""

    basis: Tensor
    weights: Tensor

    def __init__(self, bands: int = N_MELS):
        super().__init__()
        self.bands = bands
        steps = torch.arange(N_TEMPOS, dtype=torch.float64) / (N_TEMPOS - 1)
        self.log_tempos = math.log2(SLOWEST) + steps * math.log2(FASTEST / SLOWEST)
        n = N_FRAMES - 1
        lags, rates = torch.arange(n, dtype=torch.float64), torch.arange(n + 1, dtype=torch.float64)
        phase = torch.pi / n * torch.outer(lags, rates)  # twice as long, so that no lag wraps around
        smooth = torch.exp(-((torch.pi / n * SMOOTHING * rates) ** 2) / 2)
        inverse = torch.cos(phase).T / n  # from a power spectrum to an autocorrelation
        inverse[[0, -1]] /= 2
        inverse = inverse / (1 - lags / n)
        self.register_buffer(
            "basis", torch.cat([torch.cos(phase) * smooth, torch.sin(phase) * smooth], dim=1).float(), persistent=False
        )
        self.register_buffer(
            "weights", torch.cat([inverse[:, :1], inverse @ self._of_lags(lags)], dim=1).float(), persistent=False
        )

    def _of_lags(self, lags: Tensor) -> Tensor:
        """What each lag counts in the score of each tempo, (lags, 96); between two lags both count."""
        periods = torch.outer(torch.tensor(PERIODS), 60 * SAMPLE_RATE / HOP_LENGTH / 2**self.log_tempos)
        fits = (periods < LONGEST * len(lags)).double()
        near = (1 - (periods - lags[:, None, None]).abs()).clamp(min=0)
        return (near * fits / fits.sum(dim=0)).sum(dim=1)

    def forward(self, db: Tensor) -> Tensor:
        rise = db[:, : self.bands].diff(dim=2).clamp(min=0).unflatten(1, (-1, COARSE)).mean(dim=2).clamp(max=CAP_DB)
        onsets = rise - rise.mean(dim=2, keepdim=True)
        cos, sin = (onsets @ self.basis).chunk(2, dim=2)
        repeats = (cos.square() + sin.square()) @ self.weights
        whole = repeats[:, :, :1] + LEAST_VARIANCE * onsets.shape[2]
        return (repeats[:, :, 1:] / whole).mean(dim=1)


class TempoUnits(nn.Module):
    """`n` units of the tempo's posterior; their center and scale are fitted once to training clips."""

    prior: Tensor
    transform: Tensor
    center: Tensor
    scale: Tensor

    def __init__(self, n: int, bands: int = N_MELS):
        super().__init__()
        self.tempogram = Tempogram(bands)
        octaves = (self.tempogram.log_tempos - math.log2(CENTER)) / WIDTH
        place = (torch.arange(N_TEMPOS) + 0.5) / N_TEMPOS
        waves = torch.cos(torch.pi * torch.outer(place, torch.arange(1, n + 1)))
        self.register_buffer("prior", (-octaves.square() / 2).float(), persistent=False)
        self.register_buffer("transform", waves.float(), persistent=False)
        self.register_buffer("center", torch.zeros(n))
        self.register_buffer("scale", torch.zeros(()))

    @torch.no_grad()
    def fit(self, db: Tensor) -> None:
        """Fit center and scale to clips in dB, shape (n, 128, 130)."""
        values = torch.cat([self._waves(block) for block in db.split(64)])
        self.center.copy_(values.mean(dim=0))
        self.scale.copy_(SIZE / (values - self.center).square().mean().sqrt().clamp(min=LEAST_DEVIATION))

    def forward(self, db: Tensor) -> Tensor:
        return (self._waves(db) - self.center) * self.scale

    def _waves(self, db: Tensor) -> Tensor:
        return torch.softmax(SHARPNESS * self.tempogram(db) + self.prior, dim=1) @ self.transform
