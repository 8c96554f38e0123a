"""Descriptors: what they say of mels whose answer is known, and what the fitted units promise."""

import numpy as np
import pytest
import torch
from scipy.fft import dct

from audioae.model.descriptors import N_MFCC, Descriptors, DescriptorUnits

N_FRAME_VALUES = N_MFCC + 16 + 4


def mels(n: int, seed: int = 0) -> torch.Tensor:
    """Noise in dB of a scale that differs between bands."""
    noise = torch.randn(n, 128, 130, generator=torch.Generator().manual_seed(seed))
    return (noise * torch.linspace(1, 6, 128)[:, None] - 40).clamp(-80, 0)


def described(db: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Means, deviations and changes of the values per frame; means and deviations of the high cepstrum."""
    descriptors = Descriptors()
    values = descriptors(db)
    assert values.shape == (len(db), descriptors.size) == (len(db), 134)
    return values.split([N_FRAME_VALUES] * 3 + [7] * 2, dim=1)


def test_mfcc_are_the_orthonormal_dct_of_db():
    db = mels(3)
    wanted = np.asarray(dct(db.numpy(), axis=1, type=2, norm="ortho"))[:, :N_MFCC]
    mean, deviation, change = (part[:, :N_MFCC].numpy() for part in described(db)[:3])
    np.testing.assert_allclose(mean, wanted.mean(axis=2), atol=2e-3)
    np.testing.assert_allclose(deviation, wanted.std(axis=2), atol=2e-3)
    np.testing.assert_allclose(change, np.sqrt((np.diff(wanted, axis=2) ** 2).mean(axis=2)), atol=2e-3)


def test_a_flat_spectrum_has_no_contrast_and_its_centroid_in_the_middle():
    mean, deviation, change, *_ = described(torch.full((1, 128, 130), -20.0))
    contrast, (centroid, bandwidth, flatness, level) = mean[0, N_MFCC:-4], mean[0, -4:]
    assert contrast.abs().max() < 1e-4
    assert centroid.item() == pytest.approx(63.5, abs=1e-2)
    assert bandwidth.item() == pytest.approx(np.sqrt((128**2 - 1) / 12), abs=0.02)
    assert level.item() == pytest.approx(-20 + 10 * np.log10(128), abs=1e-3)
    assert flatness.item() == pytest.approx(-10 * np.log10(128), abs=1e-3)
    assert max(deviation.max(), change.max()) < 0.02


def test_a_single_band_has_its_place_and_contrast():
    db = torch.full((1, 128, 130), -80.0)
    db[:, 44] = 0.0
    mean = described(db)[0][0]
    contrast, (centroid, bandwidth, *_) = mean[N_MFCC:-4], mean[-4:]
    assert centroid.item() == pytest.approx(44, abs=1e-2)
    assert bandwidth.item() < 0.1
    assert contrast.tolist() == pytest.approx([80.0 if band == 44 // 8 else 0.0 for band in range(16)], abs=1e-3)


def test_harmonics_are_in_the_high_cepstrum():
    """A ripple of 4 mel bands per period is coefficient 64, the first of the fifth range."""
    band = torch.arange(128)
    ripple = (10 * torch.cos(2 * torch.pi * (band + 0.5) / 4) - 30).view(1, 128, 1).expand(1, 128, 130)
    smooth = torch.full((1, 128, 130), -30.0)
    gained = described(ripple)[3][0] - described(smooth)[3][0]
    assert int(gained.argmax()) == 4
    assert gained[4] > 3


def test_what_is_above_the_lowest_bands_changes_nothing():
    """The lowest 112 of 128 bands, as if the mel had no others."""
    db = mels(4)
    cut = db.clone()
    cut[:, 112:] = -80.0
    descriptors = Descriptors(112)
    values = descriptors(db)
    assert values.shape == (4, descriptors.size) == (4, 128)
    assert torch.equal(descriptors(cut), values)
    assert not torch.equal(Descriptors()(cut), Descriptors()(db))
    wanted = np.asarray(dct(db[:, :112].numpy(), axis=1, type=2, norm="ortho"))[:, :N_MFCC]
    np.testing.assert_allclose(values[:, :N_MFCC].numpy(), wanted.mean(axis=2), atol=2e-3)
    contrast = db[:, :112].unflatten(1, (14, 8))
    wanted = (contrast.amax(dim=2) - contrast.amin(dim=2)).mean(dim=2)
    flat = descriptors(torch.full((1, 128, 130), -20.0))[0, : N_MFCC + 14 + 4]
    centroid, bandwidth, flatness, level = flat[-4:].tolist()
    assert (centroid, level) == pytest.approx((55.5, -20 + 10 * np.log10(112)), abs=1e-2)
    assert (bandwidth, flatness) == pytest.approx((np.sqrt((112**2 - 1) / 12), -10 * np.log10(112)), abs=0.02)
    torch.testing.assert_close(values[:, N_MFCC : N_MFCC + 14], wanted, rtol=1e-4, atol=1e-3)


def test_a_power_law_compresses_what_is_quiet():
    """(p^.1 - 1) / .1 in dB: 10 dB below the maximum are 8.9, 80 dB are 36.5, and 20 dB above the floor count as 4."""
    compressed = Descriptors(exponent=0.1)
    levels = torch.tensor([0.0, -10.0, -60.0, -80.0])
    rate = 0.1 * np.log(10) / 10
    wanted = (10 ** (0.1 * levels.numpy() / 10) - 1) / rate
    assert wanted.round(1).tolist() == [0.0, -8.9, -32.5, -36.5]
    values = compressed(levels[:, None, None].expand(4, 128, 130))
    np.testing.assert_allclose(values[:, 0].numpy(), wanted * np.sqrt(128), rtol=1e-4, atol=1e-3)
    total = (10 ** (0.1 * (levels.numpy() + 10 * np.log10(128)) / 10) - 1) / rate
    flatness, level = values[:, N_FRAME_VALUES - 2], values[:, N_FRAME_VALUES - 1]
    np.testing.assert_allclose(level.numpy(), total, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(flatness.numpy(), wanted - total, rtol=1e-4, atol=1e-3)
    single = torch.full((1, 128, 130), -80.0)
    single[:, 44] = 0.0
    assert compressed(single)[0, N_MFCC + 44 // 8].item() == pytest.approx(36.5, abs=0.1)


def test_a_small_exponent_is_nearly_db():
    torch.testing.assert_close(Descriptors(exponent=1e-5)(mels(4)), Descriptors()(mels(4)), rtol=1e-3, atol=0.02)


def test_noise_moves_units_of_the_power_law_less():
    """Clips over silence, and the same with noise at -50 dB, in deviations of the units."""
    clips = (mels(200) + 3 * torch.randn(200, 128, 1, generator=torch.Generator().manual_seed(2))).clamp(-80, 0)
    clips = torch.where(torch.arange(130) % 2 == 0, clips, torch.tensor(-80.0))
    noisy = 10 * torch.log10(10 ** (clips / 10) + 10**-5)
    moved = []
    for exponent in (0.0, 0.1):
        units = DescriptorUnits(8, exponent=exponent)
        units.fit(clips)
        moved.append((units(noisy) - units(clips)).norm(dim=1).mean() / units(clips).norm(dim=1).mean())
    assert moved[1] < 0.7 * moved[0]


def test_units_have_half_whitened_components():
    clips = mels(300)
    units = DescriptorUnits(8)
    units.fit(clips)
    values = units(clips).double()
    covariance = (values.T @ values / len(values)).numpy()
    variance = np.diag(covariance)
    assert values.mean(dim=0).abs().max() < 1e-3
    assert variance.mean() == pytest.approx(1.0, abs=1e-3)
    assert np.abs(covariance - np.diag(variance)).max() < 1e-3
    standardized = Descriptors()(clips).double()
    standardized = (standardized - standardized.mean(dim=0)) / standardized.std(dim=0, correction=0)
    wanted = np.sqrt(np.linalg.eigvalsh(np.cov(standardized.numpy().T, bias=True))[::-1][:8])
    np.testing.assert_allclose(variance, wanted / wanted.mean(), rtol=1e-3)


def test_few_and_equal_clips_give_finite_units():
    units = DescriptorUnits(64)
    units.fit(mels(3))
    values = units(mels(5, seed=1))
    assert torch.isfinite(values).all()
    assert (units.projection.abs().sum(dim=0) > 0).sum() == 2  # 3 clips span 2 directions
    units.fit(mels(1).expand(4, -1, -1))
    assert (units(mels(2, seed=2)) == 0).all()


def test_the_same_clips_give_the_same_units():
    first, second = DescriptorUnits(16), DescriptorUnits(16)
    first.fit(mels(50))
    second.fit(mels(50))
    assert torch.equal(first.projection, second.projection)
