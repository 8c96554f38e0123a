"""Terms and schedules against numbers worked out by hand or by another formula."""

import pytest
import torch
from torch.nn import functional as F

from audioae.model.blocks import N_BINS
from audioae.model.bottleneck_nets import Latent
from audioae.model.losses import bernoulli_kl, covariance_term, gaussian_kl, info_nce, variance_term
from audioae.model.schedules import Constant, Cyclical, Linear
from audioae.model.terms import L1, Contractive, Kl, Mse, Outputs, SparseKl


def outputs(embedding: torch.Tensor, **stats: torch.Tensor) -> Outputs:
    mel = torch.zeros(len(embedding), 128, 130)
    return Outputs(mel, mel, mel + 0.5, Latent(embedding, embedding, stats), torch.arange(len(embedding)))


@pytest.mark.parametrize(
    ("mu", "logvar", "expected"),
    [([1.2, -0.5, 0.0], [-1.0, 0.5, 0.3], 1.1282), ([0.5, -0.3], [-0.8, 0.2], 0.3054)],
)
def test_kl_of_gaussians(mu: list[float], logvar: list[float], expected: float):
    per_unit = gaussian_kl(torch.tensor(mu), torch.tensor(logvar))
    assert per_unit.sum().item() == pytest.approx(expected, abs=5e-5)
    std = torch.exp(torch.tensor(logvar) / 2)
    library = torch.distributions.kl_divergence(
        torch.distributions.Normal(torch.tensor(mu), std), torch.distributions.Normal(0.0, 1.0)
    )
    torch.testing.assert_close(per_unit, library)


@pytest.mark.parametrize(("mean", "expected"), [(0.7, 0.9631), (0.8, 1.3416), (0.05, 0.0)])
def test_sparse_kl(mean: float, expected: float):
    assert bernoulli_kl(0.05, torch.tensor(mean)).item() == pytest.approx(expected, abs=5e-5)
    activation = torch.full((4, 128), mean)
    term = SparseKl(kind="sparse_kl", rho=0.05).compute(outputs(activation, activation=activation), None)
    assert term.item() == pytest.approx(expected, abs=5e-5)


def test_kl_term_is_per_bin_and_free_bits_cost_nothing():
    mu, logvar = torch.zeros(3, 128), torch.zeros(3, 128)
    mu[:, :2] = torch.tensor([2.0, 0.1])
    made = outputs(mu, mu=mu, logvar=logvar)
    assert Kl(kind="kl").compute(made, None).item() == pytest.approx((2.0 + 0.005) / N_BINS)
    free = Kl(kind="kl", free_bits=0.5).compute(made, None).item()
    assert free == pytest.approx((2.0 + 127 * 0.5) / N_BINS)


def test_mse_and_l1():
    made = outputs(torch.tensor([[1.0, -3.0]]))
    assert Mse(kind="mse").compute(made, None).item() == pytest.approx(0.25)
    assert L1(kind="l1").compute(made, None).item() == pytest.approx(2.0)


def test_contractive_estimates_the_squared_jacobian_norm():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(128, 20, generator=generator)
    mel = torch.zeros(2, 128, 130).requires_grad_()
    embedding = torch.tanh(mel[:, 0, :20]) @ matrix.T
    made = Outputs(mel, mel, mel, Latent(embedding, embedding, {}), torch.arange(2))
    estimate = Contractive(kind="contractive", probes=400).compute(made, generator)
    assert estimate.item() == pytest.approx(matrix.square().sum().item(), rel=0.1)
    assert estimate.requires_grad


def test_info_nce_by_the_formula():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(8, 16, generator=generator)
    unit = F.normalize(embedding, dim=1)
    cosine = torch.exp(unit @ unit.T / 0.15)
    terms = [
        -torch.log(cosine[i, (i + 4) % 8] / sum(cosine[i, j] for j in range(8) if j != i)).item() for i in range(8)
    ]
    tracks = torch.arange(4).repeat(2)
    assert info_nce(embedding, tracks, 0.15).item() == pytest.approx(sum(terms) / 8, rel=1e-5)


def test_info_nce_takes_no_clip_of_the_same_track_as_a_negative():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(3, 16, generator=generator).repeat(4, 1) + 0.01 * torch.randn(12, 16, generator=generator)
    tracks = torch.tensor([0, 1, 2]).repeat(4)
    told = info_nce(embedding, tracks, 0.15).item()
    untold = info_nce(embedding, torch.arange(6).repeat(2), 0.15).item()
    assert untold - told > 0.5


def test_info_nce_of_one_pair_is_zero_with_a_finite_gradient():
    embedding = torch.ones(2, 16, requires_grad=True)
    loss = info_nce(embedding, torch.zeros(2, dtype=torch.int64), 0.15)
    loss.backward()
    assert loss.item() == 0
    assert embedding.grad is not None
    assert torch.isfinite(embedding.grad).all()


def test_vicreg_parts():
    spread = torch.tensor([[2.0, 0.0], [-2.0, 0.0]])
    assert variance_term(spread).item() == pytest.approx((0 + 0.99) / 2)
    correlated = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert covariance_term(correlated).item() == pytest.approx((2**2 + 2**2) / 2)
    assert covariance_term(spread).item() == pytest.approx(0)


def test_schedules_are_functions_of_the_step():
    linear = Linear(kind="linear", start=10, steps=20)
    cyclical = Cyclical(kind="cyclical", period=10, rise=0.5)
    assert [linear.at(step) for step in (0, 10, 20, 30, 99)] == [0, 0, 0.5, 1, 1]
    assert [cyclical.at(step) for step in (0, 1, 5, 9, 10, 11)] == [0, 0.2, 1, 1, 0, 0.2]
    assert Constant().at(0) == 1
    assert Kl(kind="kl", weight=4, schedule=linear).weight_at(20) == 2
