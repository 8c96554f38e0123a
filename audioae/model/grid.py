"""The config of a grid of codes: a second path through the model, which keeps when in a clip something happens.

The embedding is pooled over time, so the decoder of the embedding draws a spectrum without events. With a grid, the mel
is cut into patches, each patch gets the nearest of `codebook_size` codes (the textbook VQ-VAE), and a second decoder
rebuilds the clip from codes and latent together.

Conventions
-----------
- The embedding does not depend on the grid, neither in training nor later: the grid gets the latent, but no gradient
  flows back from it. `decode` of an embedding alone is what it is without a grid.
- PCA-128, whose reconstruction it is compared with, has 128 numbers: 4,096 bits as float32. The default grid has 4,032
  bits (and the latent of the default model 128).
- The 130 frames are padded to 144, as in the encoder: patches of 8 x 8 bins form a grid of 16 x 18.

Source: van den Oord et al. 2017, "Neural Discrete Representation Learning".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from audioae.config import Config
from audioae.constants import N_MELS, PADDED_FRAMES

if TYPE_CHECKING:
    from audioae.model.grid_nets import CodeGrid

LEARN_FROM = 4096  # vectors of a step that the codebooks learn from


class GridConfig(Config):
    """A grid of codes for patches of `bands` mel bands x `frames` frames.

    A patch becomes a vector of `dim` numbers, which `groups` codebooks with `levels` levels quantize (see `vq.py`).
    `width` and `blocks` are the number of channels and of inner convolutions of the decoder.
    """

    bands: int = Field(default=8, ge=1)
    frames: int = Field(default=8, ge=1)
    dim: int = Field(default=8, ge=1)
    groups: int = Field(default=2, ge=1)
    codebook_size: int = Field(default=128, ge=2)
    levels: int = Field(default=1, ge=1)
    decay: float = Field(default=0.98, gt=0, lt=1)
    width: int = Field(default=64, ge=1)
    blocks: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _divides(self):
        for name, whole, part in (
            ("bands", N_MELS, self.bands),
            ("frames", PADDED_FRAMES, self.frames),
            ("groups", self.dim, self.groups),
        ):
            if whole % part:
                raise ValueError(f"{name} must divide {whole}, got {part}")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (low bands first) and columns of the grid."""
        return N_MELS // self.bands, PADDED_FRAMES // self.frames

    @property
    def n_codes(self) -> int:
        """Codes of one clip."""
        return math.prod(self.shape) * self.groups * self.levels

    @property
    def n_bits(self) -> float:
        """Bits of one clip, without those of its latent.

        >>> GridConfig().n_codes, GridConfig().n_bits
        (576, 4032.0)
        """
        return self.n_codes * math.log2(self.codebook_size)

    def build(self) -> CodeGrid:
        from audioae.model.grid_nets import CodeGrid
        from audioae.model.vq import Quantizer

        books = (self.dim, self.groups, self.codebook_size, self.levels)
        quantizer = Quantizer(*books, shared=False, decay=self.decay, learn_from=LEARN_FROM)
        return CodeGrid(quantizer, self.dim, (self.bands, self.frames), self.width, self.blocks)
