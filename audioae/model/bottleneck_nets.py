"""The modules behind `bottlenecks.py`: from the head's output (n, `head_dim`) to a `Latent`."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from audioae.constants import EMBEDDING_DIM
from audioae.model.vq import Quantizer


class Latent(NamedTuple):
    """Output of every bottleneck.

    `z` (n, 128) goes to the decoder. `embedding` (n, 128) is what the clip is searched by: deterministic in eval,
    never quantized. `stats` holds what terms need and, as numbers, what is logged.
    """

    z: Tensor
    embedding: Tensor
    stats: dict[str, Tensor]


class LinearBottleneck(nn.Module):
    """The head's vector, or its sigmoid."""

    head_dim = EMBEDDING_DIM

    def __init__(self, activation: str):
        super().__init__()
        self.sigmoid = activation == "sigmoid"

    def forward(self, head: Tensor, generator: torch.Generator | None) -> Latent:
        z = torch.sigmoid(head) if self.sigmoid else head
        return Latent(z, z, {"activation": z} if self.sigmoid else {})


class GaussianBottleneck(nn.Module):
    """A diagonal Gaussian; sampled in training by z = mu + exp(logvar / 2) * noise."""

    head_dim = 2 * EMBEDDING_DIM

    def forward(self, head: Tensor, generator: torch.Generator | None) -> Latent:
        mu, logvar = head.chunk(2, dim=1)
        logvar = logvar.clamp(-10, 10)
        z = mu
        if self.training:
            noise = torch.randn(mu.shape, generator=generator, device=mu.device)
            z = mu + torch.exp(logvar / 2) * noise
        return Latent(z, mu, {"mu": mu, "logvar": logvar})


class VqBottleneck(nn.Module):
    """Quantized to the decoder, unquantized to the search."""

    head_dim = EMBEDDING_DIM

    def __init__(self, quantizer: Quantizer):
        super().__init__()
        self.quantizer = quantizer

    def forward(self, head: Tensor, generator: torch.Generator | None) -> Latent:
        quantized = self.quantizer(head)
        stats = {name: getattr(quantized, name) for name in ("commitment", "perplexity", "dead_codes")}
        return Latent(quantized.z, head, stats)
