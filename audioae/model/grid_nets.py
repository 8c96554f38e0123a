"""The modules behind `grid.py`: from the patches of a mel to codes, and from codes and latent to the mel.

The grid quantizes the rest that the decoder of the latent leaves, in patches.

Why patches of that rest, and not the encoder's maps or the whole mel: with equal codes and equal training, maps left a
fifth more of the variance unexplained, and the mel two thirds more. Why no ReLU before the codes: with one, it was a
seventh more.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioae.constants import EMBEDDING_DIM, N_FRAMES, N_MELS, PADDED_FRAMES
from audioae.model.blocks import Stage
from audioae.model.vq import Quantized, Quantizer


class GridOutput(NamedTuple):
    """`reconstruction` and `target` are normalized mels (n, 128, 130); `stats` has scalars to log."""

    reconstruction: Tensor
    target: Tensor
    commitment: Tensor
    stats: dict[str, Tensor]


class CodeGrid(nn.Module):
    """A vector-quantized autoencoder of patches; the latent sets one bias per row of the grid and channel."""

    def __init__(self, quantizer: Quantizer, dim: int, patch: tuple[int, int], width: int, blocks: int):
        super().__init__()
        self.shape = N_MELS // patch[0], PADDED_FRAMES // patch[1]
        self.encoder = nn.Sequential(
            Stage(nn.Conv2d(1, width, patch, stride=patch), relu=False),
            Stage(nn.Conv2d(width, dim, 3, padding=1), nn.BatchNorm2d(dim), relu=False),
        )
        self.quantizer = quantizer
        self.expand = nn.Conv2d(dim, width, 3, padding=1)
        self.bias = nn.Linear(EMBEDDING_DIM, width * self.shape[0])
        self.decoder = nn.Sequential(
            *(Stage(nn.Conv2d(width, width, 3, padding=1)) for _ in range(blocks)),
            nn.ConvTranspose2d(width, 1, patch, stride=patch),
        )

    def forward(self, mels: Tensor, coarse: Tensor, z: Tensor) -> GridOutput:
        """Add to `coarse`, the mels that the latents z (n, 128) give, what the codes of normalized `mels` tell."""
        quantized = self.quantize(mels - coarse)
        stats = {"grid_perplexity": quantized.perplexity, "grid_dead_codes": quantized.dead_codes}
        return GridOutput(coarse + self.decode(quantized.z, z), mels, quantized.commitment, stats)

    def quantize(self, rest: Tensor) -> Quantized:
        """Quantize the patches of (n, 128, 130); vectors are in the order clip, row, column. Runs in float32."""
        padded = F.pad(rest, (0, PADDED_FRAMES - N_FRAMES)).unsqueeze(1)
        maps = self.encoder(padded)
        with torch.autocast(rest.device.type, enabled=False):
            return self.quantizer(maps.float().permute(0, 2, 3, 1).flatten(0, 2))

    def decode(self, vectors: Tensor, z: Tensor) -> Tensor:
        """Decode quantized vectors (n * rows * columns, dim), beside latents (n, 128), to (n, 128, 130)."""
        rows, columns = self.shape
        maps = vectors.view(len(z), rows, columns, -1).permute(0, 3, 1, 2)
        bias = self.bias(z).view(len(z), -1, rows, 1)
        return self.decoder(F.relu(self.expand(maps) + bias))[:, 0, :, :N_FRAMES].float()
