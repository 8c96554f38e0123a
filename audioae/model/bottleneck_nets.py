"""The modules behind `bottlenecks.py`: from the head's output (n, `head_dim`) to a `Latent`."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioae.constants import EMBEDDING_DIM
from audioae.model.vq import Quantizer


class Latent(NamedTuple):
    """Output of every bottleneck.

    `z` (n, 128) goes to the decoder. `embedding` (n, 128) is the vector that search uses: deterministic in eval mode,
    never quantized. `stats` holds what the loss terms need; its scalars are logged.
    """

    z: Tensor
    embedding: Tensor
    stats: dict[str, Tensor]


class LinearBottleneck(nn.Module):
    """The output of the head, or its sigmoid."""

    head_dim = EMBEDDING_DIM

    def __init__(self, activation: str):
        super().__init__()
        self.sigmoid = activation == "sigmoid"

    def forward(self, head: Tensor, generator: torch.Generator | None) -> Latent:
        z = torch.sigmoid(head) if self.sigmoid else head
        return Latent(z, z, {"activation": z} if self.sigmoid else {})


class GaussianBottleneck(nn.Module):
    """A diagonal Gaussian; in training z = mu + exp(logvar / 2) * noise, in eval mode z = mu.

    With fewer than 128 units, `z` and `embedding` are filled up with zeros.
    """

    def __init__(self, dim: int = EMBEDDING_DIM):
        super().__init__()
        self.head_dim = 2 * dim
        self.padding = EMBEDDING_DIM - dim

    def forward(self, head: Tensor, generator: torch.Generator | None) -> Latent:
        mu, logvar = head.chunk(2, dim=1)
        logvar = logvar.clamp(-10, 10)
        z = mu
        if self.training:
            noise = torch.randn(mu.shape, generator=generator, device=mu.device)
            z = mu + torch.exp(logvar / 2) * noise
        return Latent(F.pad(z, (0, self.padding)), F.pad(mu, (0, self.padding)), {"mu": mu, "logvar": logvar})


class VqBottleneck(nn.Module):
    """The decoder gets the quantized vector; search gets the unquantized one."""

    head_dim = EMBEDDING_DIM

    def __init__(self, quantizer: Quantizer):
        super().__init__()
        self.quantizer = quantizer

    def forward(self, head: Tensor, generator: torch.Generator | None) -> Latent:
        quantized = self.quantizer(head)
        stats = {name: getattr(quantized, name) for name in ("commitment", "perplexity", "dead_codes")}
        return Latent(quantized.z, head, stats)
