"""Augmentation of mels: what must not change a clip's embedding.

Order: pitch roll, equalizer, background, noise, then the level is set so that the maximum is 0 dB again (as every clip
the model will see has it), then SpecAugment. A gain needs no step of its own: mels are relative to their maximum.

Conventions: dB in [-80, 0], shape (n, 128, 130). All draws come from the generator given.

Source: SpecAugment: Park et al. 2019. Strength is a trade: fuller favors style, lighter favors speakers and single
sounds.
"""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from audioae.config import Config
from audioae.model.blocks import FLOOR_DB, N_FRAMES, N_MELS

EQ_POINTS = 8
DB_TO_NEPER = 0.2302585  # ln(10) / 10


class AugmentConfig(Config):
    """Strengths; 0 turns a step off. `*_share` is the share of clips that get it."""

    roll_mels: int = Field(default=3, ge=0, lt=N_MELS)
    eq_db: float = Field(default=3.0, ge=0)
    background_share: float = Field(default=0.5, ge=0, le=1)
    background_db: tuple[float, float] = (-20.0, -8.0)
    noise_share: float = Field(default=0.25, ge=0, le=1)
    noise_db: tuple[float, float] = (-55.0, -25.0)
    mask_mels: int = Field(default=16, ge=0, le=N_MELS)
    mask_frames: int = Field(default=20, ge=0, le=N_FRAMES)


def augment(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """A randomly changed copy of each mel."""
    if config.roll_mels:
        db = _roll(db, config.roll_mels, generator)
    if config.eq_db:
        points = torch.randn(len(db), 1, EQ_POINTS, generator=generator, device=db.device) * config.eq_db
        curve = F.interpolate(points, size=N_MELS, mode="linear", align_corners=True)
        db = db + curve.transpose(1, 2)
    if config.background_share:
        db = _mix_background(db, config, generator)
    if config.noise_share:
        db = _mix_noise(db, config, generator)
    db = (db - db.amax(dim=(1, 2), keepdim=True)).clamp_(min=FLOOR_DB)
    return _mask(db, config, generator)


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator, device=generator.device) * (high - low) + low


def _chosen(n: int, share: float, generator: torch.Generator) -> Tensor:
    """Rows to change: a random subset of fixed size, so that shapes do not depend on the draw."""
    return torch.randperm(n, generator=generator, device=generator.device)[: round(n * share)]


def _roll(db: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Shift along the mel axis; the outermost band is repeated where nothing comes in."""
    shift = torch.randint(-most, most + 1, (len(db), 1), generator=generator, device=db.device)
    bands = (torch.arange(N_MELS, device=db.device) - shift).clamp_(0, N_MELS - 1)
    return db[torch.arange(len(db), device=db.device).unsqueeze(1), bands]


def _mix_background(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Add the power of another clip of the batch, `background_db` below."""
    n = len(db)
    rows = _chosen(n, config.background_share, generator)
    shift = torch.randint(1, max(n, 2), (len(rows),), generator=generator, device=db.device)
    level = _uniform(len(rows), *config.background_db, generator)[:, None, None]
    return db.index_copy(0, rows, _add_power(db[rows], db[(rows + shift) % n] + level))


def _mix_noise(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Add the power of white noise: exponentially distributed per bin, `noise_db` below the clip's maximum."""
    rows = _chosen(len(db), config.noise_share, generator)
    level = _uniform(len(rows), *config.noise_db, generator)[:, None, None]
    power = torch.rand(len(rows), N_MELS, N_FRAMES, generator=generator, device=db.device).clamp_(min=1e-6)
    noise = torch.log(-torch.log(power).clamp_(max=-1e-6)) / DB_TO_NEPER + level
    return db.index_copy(0, rows, _add_power(db[rows], noise))


def _add_power(first: Tensor, second: Tensor) -> Tensor:
    """10 log10(10^(a / 10) + 10^(b / 10)); within 100 dB this needs no logaddexp, which takes 5 times as long."""
    return torch.log(torch.exp(first * DB_TO_NEPER) + torch.exp(second * DB_TO_NEPER)) / DB_TO_NEPER


def _mask(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Replace one stripe of bands and one of frames by the clip's mean."""
    hidden = _stripe(len(db), N_MELS, config.mask_mels, generator).unsqueeze(2)
    hidden = hidden | _stripe(len(db), N_FRAMES, config.mask_frames, generator).unsqueeze(1)
    return torch.where(hidden, db.mean(dim=(1, 2), keepdim=True), db)


def _stripe(n: int, length: int, most: int, generator: torch.Generator) -> Tensor:
    """Boolean (n, length): a stripe of 0 to `most` places, anywhere."""
    width = _uniform(n, 0, most + 1, generator).floor()
    start = (_uniform(n, 0, 1, generator) * (length - width + 1)).floor()
    place = torch.arange(length, device=generator.device)
    return (place >= start.unsqueeze(1)) & (place < (start + width).unsqueeze(1))
