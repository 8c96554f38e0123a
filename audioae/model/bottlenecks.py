"""Configs of the bottlenecks, which map the encoder's vector to the decoder's input.

A bottleneck takes the head's output (n, `head_dim`) and returns a `Latent`. Its config lists what it `provides` to the
loss terms; a term that needs anything else is refused when the YAML is read.

- `linear`: the vector itself, or its sigmoid (units in (0, 1), for sparse_kl).
- `gaussian`: mu and logvar; z is a sample in training and mu in eval mode (VAE).
  Why `dim` is not written where it is the default: models that older versions trained keep their names.
- `vq`: nearest codes of a single, product or residual quantizer (`vq.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from audioae.config import Config
from audioae.constants import EMBEDDING_DIM

if TYPE_CHECKING:
    from audioae.model.bottleneck_nets import GaussianBottleneck, LinearBottleneck, VqBottleneck


class LinearConfig(Config):
    """No constraint beyond the size; `activation: sigmoid` squashes each unit to (0, 1)."""

    kind: Literal["linear"]
    activation: Literal["none", "sigmoid"] = "none"

    @property
    def provides(self) -> frozenset[str]:
        return frozenset({"activation"} if self.activation == "sigmoid" else ())

    def build(self) -> LinearBottleneck:
        from audioae.model.bottleneck_nets import LinearBottleneck

        return LinearBottleneck(self.activation)


class GaussianConfig(Config):
    """Mean and log-variance of `dim` units; the other units of latent and embedding are 0.

    `dim: 2` is a latent space to look at: its embeddings lie in a plane, so search in it is poor.
    """

    kind: Literal["gaussian"]
    dim: int = Field(default=EMBEDDING_DIM, ge=1, le=EMBEDDING_DIM)
    provides: ClassVar[frozenset[str]] = frozenset({"posterior"})

    @model_serializer(mode="wrap")
    def _without_the_default_dim(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content = dump(self)
        return {key: value for key, value in content.items() if key != "dim" or value != EMBEDDING_DIM}

    def build(self) -> GaussianBottleneck:
        from audioae.model.bottleneck_nets import GaussianBottleneck

        return GaussianBottleneck(self.dim)


class VqConfig(Config):
    """Vector quantization; `vq.py` explains `groups`, `shared` and `levels`."""

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
        from audioae.model.bottleneck_nets import VqBottleneck
        from audioae.model.vq import Quantizer

        return VqBottleneck(
            Quantizer(EMBEDDING_DIM, self.groups, self.codebook_size, self.levels, self.shared, self.decay)
        )


BottleneckConfig = Annotated[LinearConfig | GaussianConfig | VqConfig, Field(discriminator="kind")]
