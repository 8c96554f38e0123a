"""Loss functions against numbers computed by hand or by another formula."""

import pytest
import torch
from torch.nn import functional as F

from audioae.model.losses import bernoulli_kl, covariance_term, gaussian_kl, info_nce, variance_term, vicreg


@pytest.mark.parametrize(
    ("mu", "logvar", "expected"),
    [([1.2, -0.5, 0.0], [-1.0, 0.5, 0.3], 1.1282), ([0.5, -0.3], [-0.8, 0.2], 0.3054)],
)
def test_gaussian_kl_agrees_with_torch_distributions(mu: list[float], logvar: list[float], expected: float):
    per_unit = gaussian_kl(torch.tensor(mu), torch.tensor(logvar))
    assert per_unit.sum().item() == pytest.approx(expected, abs=5e-5)
    std = torch.exp(torch.tensor(logvar) / 2)
    library = torch.distributions.kl_divergence(
        torch.distributions.Normal(torch.tensor(mu), std), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(per_unit, library)


@pytest.mark.parametrize(
    ("mean", "expected"), [(0.7, 0.9631), (0.8, 1.3416), (0.05, 0.0), (1.0, 12.9137), (0.0, 0.4923)]
)
def test_bernoulli_kl(mean: float, expected: float):
    assert bernoulli_kl(0.05, torch.tensor(float(mean))).item() == pytest.approx(expected, abs=5e-5)


def test_info_nce_agrees_with_its_formula():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(8, 16, generator=generator)
    unit = F.normalize(embedding, dim=1)
    cosine = torch.exp(unit @ unit.T / 0.15)
    terms = [
        -torch.log(cosine[i, (i + 4) % 8] / sum(cosine[i, j] for j in range(8) if j != i)).item() for i in range(8)
    ]
    tracks = torch.arange(4).repeat(2)
    assert info_nce(embedding, tracks, 0.15).item() == pytest.approx(sum(terms) / 8, rel=1e-5)


def test_info_nce_does_not_use_clips_of_the_same_track_as_negatives():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(3, 16, generator=generator).repeat(4, 1) + 0.01 * torch.randn(12, 16, generator=generator)
    tracks = torch.tensor([0, 1, 2]).repeat(4)
    known = info_nce(embedding, tracks, 0.15).item()
    unknown = info_nce(embedding, torch.arange(6).repeat(2), 0.15).item()
    assert unknown - known > 0.5


def test_info_nce_of_one_pair_is_zero_with_a_finite_gradient():
    embedding = torch.ones(2, 16, requires_grad=True)
    loss = info_nce(embedding, torch.zeros(2, dtype=torch.int64), 0.15)
    loss.backward()
    assert loss.item() == 0
    assert embedding.grad is not None
    assert torch.isfinite(embedding.grad).all()


def test_variance_and_covariance_terms_by_hand():
    spread = torch.tensor([[2.0, 0.0], [-2.0, 0.0]])
    assert variance_term(spread).item() == pytest.approx((0 + 0.99) / 2)
    narrow = torch.tensor([[0.5, 0.0], [0.1, 0.3], [0.0, 0.9]])
    deviations = (narrow.var(dim=0) + 1e-4).sqrt()  # over n - 1, as VICReg's authors do
    assert variance_term(narrow).item() == pytest.approx((1 - deviations).mean().item())
    assert variance_term(narrow[:1]).item() == pytest.approx(0.99), "one pair has no deviation"
    correlated = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert covariance_term(correlated).item() == pytest.approx((2**2 + 2**2) / 2)
    assert covariance_term(spread).item() == pytest.approx(0)


def test_vicreg_combines_the_terms_of_both_sets():
    first, second = torch.tensor([[2.0, 0.0], [-2.0, 0.0]]), torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    invariance, variance, covariance = vicreg(first, second)
    assert invariance.item() == pytest.approx(1.0)
    assert variance.item() == pytest.approx((variance_term(first) + variance_term(second)).item() / 2)
    assert covariance.item() == pytest.approx(4.0)
