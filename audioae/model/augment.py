"""Augmentation of mels: the changes that a clip's embedding should ignore.

Order: pitch roll, equalizer, background, noise; then the maximum is reset to 0 dB, as in every clip that the model will
see; then SpecAugment. There is no gain step, because mels are relative to their maximum.

Clips are cropped first: a stretch of the clip is repeated to the full length. The two clips of a pair then seldom cover
the same moments, and a track with a single clip gives more than one view.

Why half of the single-clip pairs are augmented lightly: both clips of such a pair are the same, and the full
augmentation hides most of what distinguishes that clip from other tracks (pitch, EQ).

Why the strength is a setting: stronger augmentation favors style; lighter augmentation favors speakers and single
sounds.

Conventions: dB in [-80, 0], shape (n, 128, 130). All random draws come from the given generator.

Source: SpecAugment: Park et al. 2019.
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
    """Crop pairs of clips, and augment a copy of the crops.

    Parameters
    ----------
    db : Tensor, shape (2 p, 128, 130)
        The first and the second clip of p tracks.

    Returns
    -------
    target, input : Tensor, shape (2 p, 128, 130)
        The cropped clips, which the model reconstructs, and their augmented copies, which the encoder gets.
    """
    first, second = db.chunk(2)
    same = (first == second).all(dim=2).all(dim=1)
    target = _crop(db, config, generator)
    augmented = augment(target, config, generator)
    if config.light_share and bool(same.any()):
        light = same & (_uniform(len(same), 0, 1, generator) < config.light_share)
        lightly = augment(target, LIGHT, generator)
        augmented = torch.where(light.repeat(2)[:, None, None], lightly, augmented)
    return target, augmented


def augment(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Return a randomly augmented copy of each mel."""
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
    """Replace a random share of the clips by a random stretch of each, repeated to the full length."""
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


def _random_rows(n: int, share: float, generator: torch.Generator) -> Tensor:
    """Draw the rows to change: a random subset of fixed size, so that shapes do not depend on the draw."""
    return torch.randperm(n, generator=generator, device=generator.device)[: round(n * share)]


def _roll(db: Tensor, max_shift: int, generator: torch.Generator) -> Tensor:
    """Shift each clip along the mel axis; the outermost band fills the gap."""
    shift = torch.randint(-max_shift, max_shift + 1, (len(db), 1), generator=generator, device=db.device)
    bands = (torch.arange(N_MELS, device=db.device) - shift).clamp_(0, N_MELS - 1)
    return db[torch.arange(len(db), device=db.device).unsqueeze(1), bands]


def _mix_background(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Mix in another clip of the batch, attenuated by a level drawn from `background_db`."""
    n = len(db)
    rows = _random_rows(n, config.background_share, generator)
    shift = torch.randint(1, max(n, 2), (len(rows),), generator=generator, device=db.device)
    level = _uniform(len(rows), *config.background_db, generator)[:, None, None]
    return db.index_copy(0, rows, _add_power(db[rows], db[(rows + shift) % n] + level))


def _mix_noise(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Mix in white noise, at a level drawn from `noise_db` relative to the clip's maximum.

    The power of white noise is exponentially distributed in each bin.
    """
    rows = _random_rows(len(db), config.noise_share, generator)
    level = _uniform(len(rows), *config.noise_db, generator)[:, None, None]
    power = torch.rand(len(rows), N_MELS, N_FRAMES, generator=generator, device=db.device).clamp_(min=1e-6)
    noise = torch.log(-torch.log(power).clamp_(max=-1e-6)) / DB_TO_NEPER + level
    return db.index_copy(0, rows, _add_power(db[rows], noise))


def _add_power(first: Tensor, second: Tensor) -> Tensor:
    """Compute 10 log10(10^(a / 10) + 10^(b / 10)).

    Within 100 dB this is safe without logaddexp, which takes 5 times as long.
    """
    return torch.log(torch.exp(first * DB_TO_NEPER) + torch.exp(second * DB_TO_NEPER)) / DB_TO_NEPER


def _mask(db: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Replace one stripe of bands and one stripe of frames by the clip's mean."""
    hidden = _stripe(len(db), N_MELS, config.mask_mels, generator).unsqueeze(2)
    hidden = hidden | _stripe(len(db), N_FRAMES, config.mask_frames, generator).unsqueeze(1)
    return torch.where(hidden, db.mean(dim=(1, 2), keepdim=True), db)


def _stripe(n: int, length: int, max_width: int, generator: torch.Generator) -> Tensor:
    """Boolean mask (n, length): per row, one stripe of 0 to `max_width` positions at a random place."""
    width = _uniform(n, 0, max_width + 1, generator).floor()
    start = (_uniform(n, 0, 1, generator) * (length - width + 1)).floor()
    position = torch.arange(length, device=generator.device)
    return (position >= start.unsqueeze(1)) & (position < (start + width).unsqueeze(1))
