"""Corruptions: reproducible, in range, and as strong as configured."""

import pytest
import torch

from audioae.model.corruption import CorruptionConfig, Gaussian, Mask, SaltPepper


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "corruption",
    [Gaussian(kind="gaussian"), SaltPepper(kind="salt_pepper"), Mask(kind="mask")],
    ids=lambda corruption: corruption.kind,
)
def test_corruptions_are_reproducible_and_in_range(corruption: CorruptionConfig, db: torch.Tensor):
    first = corruption.apply(db, generator())
    assert torch.equal(first, corruption.apply(db, generator()))
    assert not torch.equal(first, db)
    assert first.min() >= -80
    assert first.max() <= 0


def test_corruptions_have_the_configured_strength():
    middle = torch.full((16, 128, 130), -40.0)
    noisy = Gaussian(kind="gaussian", std_db=8.0).apply(middle, generator())
    assert noisy.std().item() == pytest.approx(8, rel=0.02)
    salted = SaltPepper(kind="salt_pepper", fraction=0.2).apply(middle, generator())
    assert (salted == 0).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (salted == -80).float().mean().item() == pytest.approx(0.1, abs=0.01)
    masked = Mask(kind="mask", fraction=0.5, bands=16, frames=10).apply(middle, generator()) == -80
    assert masked.float().mean().item() == pytest.approx(0.5, abs=0.05)
    patch = masked[:, :16, :10].flatten(1)
    assert ((patch.sum(dim=1) == 0) | (patch.sum(dim=1) == 160)).all()
