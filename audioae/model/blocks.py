"""The convolutional parts of an autoencoder: input normalization, encoder, decoder.

Conventions
-----------
- A mel is (128, 130): uint8 codes of `audio.mel`, or float dB in [-80, 0] relative to the clip's maximum.
- Networks see normalized mels: zero mean and unit deviation per mel band over the training clips.
- The 130 frames are padded once to 144 at the input and cropped once at the output: four stages of stride 2 give 8 x 9.
- Why the outermost stage has no batch norm: at 64 x 72 x 16 its backward pass took a quarter of the whole training step
  on a CPU, and the loss was no better.
- Why channels last from the first map on: with one input channel the layout is ambiguous, so torch falls back to
  channels first, and the ReLU after the first convolution takes 30 times as long in the backward pass.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from audioae.constants import EMBEDDING_DIM, FLOOR_DB, N_FRAMES, N_MELS, PADDED_FRAMES


def mel_db(mels: Tensor) -> Tensor:
    """Convert mels, given as uint8 codes or as dB, to float32 dB in [-80, 0].

    >>> mel_db(torch.tensor([0, 255], dtype=torch.uint8)).tolist()
    [-80.0, 0.0]
    """
    if mels.dtype == torch.uint8:
        return mels.float() * (-FLOOR_DB / 255) + FLOOR_DB
    return mels.float()


def mean_level(mels: Tensor) -> Tensor:
    """The level of clips (n,): the mean power of each mel (n, bands, frames) in dB, relative to the clip's maximum.

    >>> mean_level(torch.tensor([[[255, 255]], [[255, 0]]], dtype=torch.uint8)).round(decimals=1).tolist()
    [0.0, -3.0]
    """
    return 10 * torch.log10(torch.exp(mel_db(mels) * (math.log(10) / 10)).mean(dim=(1, 2)))


class Standardize(nn.Module):
    """Compute (x - mean) / std; the statistics are buffers, set once from training clips."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def invert(self, x: Tensor) -> Tensor:
        return x * self.std + self.mean


class MelNorm(Standardize):
    """Standardize mels per mel band."""

    def __init__(self):
        super().__init__(torch.full((N_MELS, 1), FLOOR_DB / 2), torch.full((N_MELS, 1), 20.0))

    @torch.no_grad()
    def fit(self, mels: Tensor) -> None:
        """Set mean and deviation from `mels`, shape (n, 128, 130); the deviation is at least 1 dB."""
        db = mel_db(mels)
        self.mean.copy_(db.mean(dim=(0, 2)).unsqueeze(1))
        self.std.copy_(db.std(dim=(0, 2), correction=0).clamp(min=1.0).unsqueeze(1))


class EmbeddingNorm(Standardize):
    """Center each unit of the embedding, and scale all units by one factor.

    Why not divide each unit by its deviation: that costs track embeddings .010 mAP on the demo's 12 styles and .008 on
    400 recordings of 10 classes; both losses are outside the confidence interval of `audioae evaluate --against`. For
    PCA it would be whitening. An embedding of several parts has one factor per part.

    Parameters
    ----------
    parts : sequence of (int, float)
        Units and weight of each part: the variance of a part is in proportion to units x weight^2.
    """

    def __init__(self, parts: Sequence[tuple[int, float]] = ((EMBEDDING_DIM, 1.0),)):
        self.parts = tuple(parts)
        super().__init__(torch.zeros(EMBEDDING_DIM), torch.ones(() if len(parts) == 1 else (EMBEDDING_DIM,)))

    @torch.no_grad()
    def fit(self, raw: Tensor) -> None:
        """Set the mean per unit, and one deviation per part (root of its mean variance), from embeddings (n, 128)."""
        self.mean.copy_(raw.mean(dim=0))
        parts = (raw - self.mean).split([n for n, _ in self.parts], dim=1)
        size = sum(n * weight**2 for n, weight in self.parts) / EMBEDDING_DIM
        stds = [
            (part.square().mean().sqrt().clamp(min=1e-6) * (size**0.5 / weight)).expand(n)
            for part, (n, weight) in zip(parts, self.parts, strict=True)
        ]
        self.std.copy_(torch.cat(stds) if self.std.ndim else stds[0][0])


class Stage(nn.Module):
    """Convolution, optional batch norm, optional ReLU, optional pixel shuffle."""

    def __init__(self, conv: nn.Module, norm: nn.Module | None = None, relu: bool = True, shuffle: int = 1):
        super().__init__()
        self.conv = conv
        self.norm = norm
        self.relu = relu
        self.shuffle = shuffle

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        if self.relu:
            x = F.relu(x)
        return F.pixel_shuffle(x, self.shuffle) if self.shuffle > 1 else x

    def fold(self) -> None:
        """Fold the batch norm into the convolution, in place: the same function in eval mode, with one pass fewer."""
        if self.norm is not None:
            transposed = isinstance(self.conv, nn.ConvTranspose2d)
            self.conv = fuse_conv_bn_eval(self.conv, self.norm, transpose=transposed)  # pyright: ignore[reportArgumentType]
            self.norm = None


class Encoder(nn.Module):
    """Stages of stride 2, from a normalized mel to a list of feature maps, from the padded input to the deepest map."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        self.stages = nn.ModuleList(
            Stage(nn.Conv2d(wide, deep, 3, stride=2, padding=1), nn.BatchNorm2d(deep) if i else None)
            for i, (wide, deep) in enumerate(pairwise((1, *channels)))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        padded = F.pad(x, (0, PADDED_FRAMES - N_FRAMES))
        maps = [padded.unsqueeze(3).permute(0, 3, 1, 2)]  # channels last; unsqueeze(1) would leave the layout open
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class Decoder(nn.Module):
    """From (n, 128) to a normalized mel (n, 128, 130), through the encoder's grids in reverse.

    The last two doublings are one convolution to 4 x 4 bins per position and a pixel shuffle. Compared with four
    transposed convolutions, a step took a quarter less time, and the held-out error after 250 steps was .381 instead of
    .401.
    """

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        self.grid = map_shape(channels, len(channels))
        self.expand = nn.Linear(EMBEDDING_DIM, self.grid[0] * self.grid[1] * self.grid[2])
        up = list(reversed(channels))[: max(len(channels) - 1, 1)]
        stages = [
            Stage(nn.ConvTranspose2d(deep, wide, 4, stride=2, padding=1), nn.BatchNorm2d(wide))
            for deep, wide in pairwise(up)
        ]
        if up:
            last = 2 ** min(len(channels), 2)
            stages.append(Stage(nn.Conv2d(up[-1], last**2, 3, padding=1), relu=False, shuffle=last))
        self.stages = nn.ModuleList(stages)

    def forward(self, z: Tensor) -> Tensor:
        x = self.expand(z).unflatten(1, self.grid)
        for stage in self.stages:
            x = stage(x)
        return x[:, 0, :, :N_FRAMES].float()


def map_shape(channels: Sequence[int], depth: int) -> tuple[int, int, int]:
    """Return channels, mel bands and frames of the encoder's map after `depth` stages.

    >>> map_shape((16, 32, 64, 128), 4)
    (128, 8, 9)
    """
    return (channels[depth - 1] if depth else 1, N_MELS >> depth, PADDED_FRAMES >> depth)
