"""Augmentation of mels: what must not change a clip's embedding.

Order: pitch roll, equalizer, background, noise, then the level is set so that the maximum is 0 dB again (as every clip
the model will see has it), then SpecAugment. A gain needs no step of its own: mels are relative to their maximum.

Before all that, a clip is cropped: a stretch of it is repeated to the full length. So the two clips of a pair seldom
show the same moments, and a track with a single clip has more than one to show. Such a track is told from others by
little else than what the full augmentation hides (pitch, EQ), so half of these pairs are augmented lightly.

Conventions: dB in [-80, 0], shape (n, 128, 130). All draws come from the generator given.

Source: SpecAugment: Park et al. 2019. Strength is a trade: fuller favors style, lighter favors speakers and single
sounds.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from audioae.constants import FLOOR_DB, N_FRAMES, N_MELS
from audioae.model.config import AugmentConfig

EQ_POINTS = 8
DB_TO_NEPER = 0.2302585  # ln(10) / 10


LIGHT = AugmentConfig(roll_mels=0, eq_db=1.0, background_share=0.0, mask_mels=8)


def augment_pairs(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pairs of clips, cropped, and a randomly changed copy of that: what to give back, and what to see.

    Parameters
    ----------
    db : Tensor, shape (2 p, 128, 130)
        The first and the second clip of p tracks.

    Returns
    -------
    target, input : Tensor, shape (2 p, 128, 130)
    """
    first, second = db.chunk(2)
    same = (first == second).all(dim=2).all(dim=1)
    target = _crop(db, config, generator)
    changed = augment(target, config, generator)
    if config.light_share and bool(same.any()):
        light = same & (_uniform(len(same), 0, 1, generator) < config.light_share)
        lightly = augment(target, LIGHT, generator)
        changed = torch.where(light.repeat(2)[:, None, None], lightly, changed)
    return target, changed


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


def _crop(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """A stretch of each chosen clip, from anywhere in it, repeated to the full length."""
    if not config.crop_share:
        return db
    n = len(db)
    cropped = _uniform(n, 0, 1, generator) < config.crop_share
    length = _uniform(n, config.crop_frames, N_FRAMES + 1, generator).floor()
    length = torch.where(cropped, length, length.new_full((), N_FRAMES))
    start = (_uniform(n, 0, 1, generator) * (N_FRAMES - length + 1)).floor()
    phase = (_uniform(n, 0, 1, generator) * length).floor() * cropped
    frames = torch.arange(N_FRAMES, device=generator.device) + phase.unsqueeze(1)
    frames = (start.unsqueeze(1) + frames.remainder(length.unsqueeze(1))).long()
    return db.gather(2, frames.unsqueeze(1).expand(-1, N_MELS, -1))


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
