"""Augmentation: what each step changes, what it leaves, and where its randomness comes from."""

from itertools import pairwise
from typing import Any

import pytest
import torch

from audioae.model.augment import _stripe, augment, augment_pairs
from audioae.model.config import AugmentConfig

OFF = {"roll_mels": 0, "eq_db": 0, "background_share": 0, "noise_share": 0, "mask_mels": 0, "mask_frames": 0}


def only(**settings: Any) -> AugmentConfig:
    """Make a config in which only the given steps are on."""
    return AugmentConfig.model_validate({**OFF, **settings})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_augmented_mels_are_in_range_and_depend_only_on_the_generator(db: torch.Tensor):
    before = torch.random.get_rng_state()
    first = augment(db, AugmentConfig(), generator())
    assert torch.equal(first, augment(db, AugmentConfig(), generator()))
    assert not torch.equal(first, augment(db, AugmentConfig(), generator(1)))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.shape == db.shape
    assert first.min() >= -80
    assert first.max() <= 0
    assert ((first - db).abs().mean(dim=(1, 2)) > 0.5).all()


def test_mels_are_unchanged_if_every_step_is_off(db: torch.Tensor):
    torch.testing.assert_close(augment(db, only(), generator()), db)


def test_roll_shifts_all_bands_by_the_same_amount():
    ramp = torch.linspace(-60, 0, 128)[None, :, None].expand(30, 128, 130).clone()
    rolled = augment(ramp, only(roll_mels=3), generator())
    step = 60 / 127
    shifts = torch.round((rolled[:, 64, 0] - rolled.amax(dim=(1, 2)) - ramp[:, 64, 0]) / step)
    assert set(shifts.int().tolist()) <= set(range(-3, 4))
    assert len(set(shifts.tolist())) > 3


def test_equalizer_is_one_smooth_curve_per_clip():
    quiet = torch.full((4, 128, 130), -40.0)
    curve = augment(quiet, only(eq_db=3.0), generator())
    assert (curve.std(dim=2) == 0).all()
    assert curve[:, :, 0].diff(dim=1).abs().max() < 2
    assert curve[:, :, 0].std(dim=1).min() > 0.5


def test_background_changes_the_configured_share_of_clips():
    silent = torch.full((8, 128, 130), -80.0)
    silent[:, :, 0] = 0.0
    silent[1::2, :, 60:] = 0.0
    mixed = augment(silent, only(background_share=0.5), generator())
    changed = (mixed - silent).abs().amax(dim=(1, 2)) > 1
    assert 0 < changed.sum() <= 4
    lifted = mixed[::2, :, 60:].amax(dim=(1, 2))
    assert ((lifted < -79) | ((lifted > -22) & (lifted < -7))).all()


def test_noise_has_the_configured_level():
    silent = torch.full((40, 128, 130), -80.0)
    silent[:, 0, 0] = 0.0
    config = only(noise_share=1.0, noise_db=(-30.0, -30.0))
    power = 10 ** (augment(silent, config, generator())[:, 1:, 1:] / 10)
    assert 10 * torch.log10(power.mean()).item() == pytest.approx(-30, abs=0.2)


def test_masks_are_one_stripe_of_bands_and_one_of_frames(db: torch.Tensor):
    config = only(mask_mels=16, mask_frames=20)
    changed = augment(db, config, generator()) != db
    assert changed.any()
    bands = changed.float().mean(dim=2) > 0.9
    frames = changed.float().mean(dim=1) > 0.9
    assert bands.sum(dim=1).max() <= 16
    assert frames.sum(dim=1).max() <= 20
    for stripe in [*bands, *frames]:
        assert stripe.int().diff().abs().sum() <= 2


def test_a_stripe_has_any_width_up_to_its_maximum_at_any_place():
    stripes = _stripe(8_000, 6, 3, generator()).int()
    widths = stripes.sum(dim=1)
    assert (widths.bincount() / 8_000).tolist() == pytest.approx([0.25] * 4, abs=0.03)
    for width in (1, 2, 3):
        starts = stripes[widths == width].argmax(dim=1).bincount()
        assert (starts / starts.sum()).tolist() == pytest.approx([1 / (7 - width)] * (7 - width), abs=0.04)


def noise_clips(n: int, seed: int = 0) -> torch.Tensor:
    return -80 * torch.rand(n, 128, 130, generator=generator(seed))


def test_a_cropped_clip_repeats_a_stretch_of_itself():
    config = only(crop_share=1.0, crop_frames=20)
    clips = noise_clips(8)
    target, changed = augment_pairs(clips, config, generator())
    torch.testing.assert_close(changed, target - target.amax(dim=(1, 2), keepdim=True))
    lengths = []
    for clip, whole in zip(target, clips, strict=True):
        frames = [int((whole == clip[:, i : i + 1]).all(dim=0).nonzero()[0]) for i in range(130)]
        lengths.append(len(set(frames)))
        assert max(frames) - min(frames) + 1 == lengths[-1]
        steps = {(after - before) % lengths[-1] for before, after in pairwise(frames)}
        assert steps == {1 % lengths[-1]}
    assert min(lengths) >= 20
    assert len(set(lengths)) > 4


def test_a_crop_starts_anywhere_in_the_clip_and_is_rotated_by_any_part_of_itself():
    frames = torch.arange(130.0).expand(600, 128, 130)
    cropped = augment_pairs(frames, only(crop_share=1.0, crop_frames=43), generator())[0][:, 0]
    first, last = cropped.amin(dim=1), cropped.amax(dim=1)
    length = last - first + 1
    room = 130 - length
    place = (first / room)[room > 0]
    assert (place.min(), place.max()) == (0, 1)
    assert place.mean().item() == pytest.approx(0.5, abs=0.04)
    assert torch.quantile(place, torch.tensor([0.25, 0.75])).tolist() == pytest.approx([0.25, 0.75], abs=0.06)
    phase = (cropped[:, 0] - first) / length
    assert phase.mean().item() == pytest.approx(0.5, abs=0.04)
    assert phase.max() > 0.95


def test_the_configured_share_of_clips_is_cropped():
    clips = noise_clips(200)
    target, _ = augment_pairs(clips, only(crop_share=0.4), generator())
    assert 0.3 < float((target != clips).any(dim=2).any(dim=1).float().mean()) < 0.5
    assert torch.equal(augment_pairs(clips, only(crop_share=0.0), generator())[0], clips)


def test_half_of_the_single_clip_pairs_are_augmented_lightly():
    single, double = noise_clips(100), noise_clips(100, 1)
    config = AugmentConfig(crop_share=0.0, roll_mels=40, noise_share=0.0, eq_db=0.0, background_share=0.0)
    near = {}
    for name, second in (("one clip", single), ("two clips", double)):
        target, changed = augment_pairs(torch.cat([single, second]), config, generator())
        off = (changed - target).abs().mean(dim=(1, 2)).view(2, 100)
        near[name] = (off < 10).all(dim=0).float().mean()  # a full augmentation rolls by up to 40 bands
    assert 0.35 < near["one clip"] < 0.65
    assert near["two clips"] < 0.1
