"""Corruptions of the input of a denoising or masked autoencoder. The target stays clean.

A corruption takes and returns dB, shape (n, 128, 130). Its random draws come from the given generator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from audioae.config import Config
from audioae.constants import FLOOR_DB, N_FRAMES, N_MELS

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Gaussian(Config):
    """Add normal noise with a standard deviation of `std_db` to every bin."""

    kind: Literal["gaussian"]
    std_db: float = Field(default=8.0, gt=0)

    def apply(self, db: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        noise = torch.randn(db.shape, generator=generator, device=db.device)
        return (db + self.std_db * noise).clamp(FLOOR_DB, 0.0)


class SaltPepper(Config):
    """Set a `fraction` of the bins to an extreme: half of them to 0 dB, half to the floor."""

    kind: Literal["salt_pepper"]
    fraction: float = Field(default=0.2, gt=0, lt=1)

    def apply(self, db: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        draw = torch.rand(db.shape, generator=generator, device=db.device)
        salted = torch.where(draw < self.fraction / 2, torch.zeros_like(db), db)
        return torch.where(draw > 1 - self.fraction / 2, torch.full_like(db, FLOOR_DB), salted)


class Mask(Config):
    """Set a `fraction` of the patches to the floor; a patch is `bands` x `frames` bins."""

    kind: Literal["mask"]
    fraction: float = Field(default=0.5, gt=0, lt=1)
    bands: int = Field(default=16, ge=1, le=N_MELS)
    frames: int = Field(default=10, ge=1, le=N_FRAMES)

    def apply(self, db: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        grid = (len(db), -(-N_MELS // self.bands), -(-N_FRAMES // self.frames))
        hidden = torch.rand(grid, generator=generator, device=db.device) < self.fraction
        hidden = hidden.repeat_interleave(self.bands, 1).repeat_interleave(self.frames, 2)
        return db.masked_fill(hidden[:, :N_MELS, :N_FRAMES], FLOOR_DB)


CorruptionConfig = Annotated[Gaussian | SaltPepper | Mask, Field(discriminator="kind")]
