"""Bottlenecks: what stands between encoder and decoder.

A bottleneck takes the head's output (n, `head_dim`) and returns a `Latent`. Its config says what it `PROVIDES` to the
terms of the loss; a term that needs something else is refused when the YAML is read.

- `linear`: the vector itself, or its sigmoid (units in (0, 1), for sparse_kl).
- `gaussian`: mu and logvar; z is a sample in training and mu in eval (VAE).
- `vq`: nearest codes, single, product or residual (`vq.py`).
"""

from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from audioae.config import Config
from audioae.model.blocks import EMBEDDING_DIM
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


class LinearConfig(Config):
    """No constraint beyond the size; `activation` sigmoid squashes each unit to (0, 1)."""

    kind: Literal["linear"]
    activation: Literal["none", "sigmoid"] = "none"

    @property
    def provides(self) -> frozenset[str]:
        return frozenset({"activation"} if self.activation == "sigmoid" else ())

    def build(self) -> LinearBottleneck:
        return LinearBottleneck(self.activation)


class GaussianConfig(Config):
    """Mean and log-variance per unit."""

    kind: Literal["gaussian"]
    provides: ClassVar[frozenset[str]] = frozenset({"posterior"})

    def build(self) -> GaussianBottleneck:
        return GaussianBottleneck()


class VqConfig(Config):
    """Vector quantization; see `vq.py` for groups, shared and levels."""

    kind: Literal["vq"]
    groups: int = Field(default=16, ge=1)
    codebook_size: int = Field(default=256, ge=2)
    levels: int = Field(default=1, ge=1)
    shared: bool = False
    decay: float = Field(default=0.98, gt=0, lt=1)
    provides: ClassVar[frozenset[str]] = frozenset({"commitment"})

    @model_validator(mode="after")
    def _groups_divide(self):
        if EMBEDDING_DIM % self.groups:
            raise ValueError(f"groups must divide {EMBEDDING_DIM}, got {self.groups}")
        return self

    def build(self) -> VqBottleneck:
        return VqBottleneck(
            Quantizer(EMBEDDING_DIM, self.groups, self.codebook_size, self.levels, self.shared, self.decay)
        )


BottleneckConfig = Annotated[LinearConfig | GaussianConfig | VqConfig, Field(discriminator="kind")]
