"""Loss terms against numbers computed by hand."""

import pytest
import torch

from audioae.constants import N_BINS
from audioae.model.bottleneck_nets import Latent
from audioae.model.terms import L1, Contractive, Kl, Mse, Outputs, SparseKl, VicReg


def outputs(embedding: torch.Tensor, **stats: torch.Tensor) -> Outputs:
    mel = torch.zeros(len(embedding), 128, 130)
    return Outputs(mel, mel, mel + 0.5, Latent(embedding, embedding, stats), torch.arange(len(embedding)))


@pytest.mark.parametrize(("mean", "expected"), [(0.7, 0.9631), (0.8, 1.3416), (0.05, 0.0)])
def test_sparse_kl_compares_rho_with_the_mean_activation(mean: float, expected: float):
    activation = torch.full((4, 128), mean)
    term = SparseKl(kind="sparse_kl", rho=0.05).compute(outputs(activation, activation=activation), None)
    assert term.item() == pytest.approx(expected, abs=5e-5)


def test_kl_is_per_bin_and_free_bits_cost_nothing():
    mu, logvar = torch.zeros(3, 128), torch.zeros(3, 128)
    mu[:, :2] = torch.tensor([2.0, 0.1])
    step = outputs(mu, mu=mu, logvar=logvar)
    assert Kl(kind="kl").compute(step, None).item() == pytest.approx((2.0 + 0.005) / N_BINS)
    free = Kl(kind="kl", free_bits=0.5).compute(step, None).item()
    assert free == pytest.approx((2.0 + 127 * 0.5) / N_BINS)


def test_mse_is_per_bin_and_l1_per_unit():
    step = outputs(torch.tensor([[1.0, -3.0]]))
    assert Mse(kind="mse").compute(step, None).item() == pytest.approx(0.25)
    assert L1(kind="l1").compute(step, None).item() == pytest.approx(2.0)


def test_contractive_estimates_the_squared_jacobian_norm():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(128, 20, generator=generator)
    mel = torch.zeros(2, 128, 130).requires_grad_()
    embedding = torch.tanh(mel[:, 0, :20]) @ matrix.T
    step = Outputs(mel, mel, mel, Latent(embedding, embedding, {}), torch.arange(2))
    estimate = Contractive(kind="contractive", probes=400).compute(step, generator)
    assert estimate.item() == pytest.approx(matrix.square().sum().item(), rel=0.1)
    assert estimate.requires_grad


@pytest.mark.parametrize("weights", [{}, {"invariance": 3.0, "variance": 2.0, "covariance": 7.0}])
def test_vicreg_agrees_with_the_formula_of_its_authors(weights: dict[str, float]):
    """Their code, with a loss that is divided by the sum of the weights."""
    first, second = 0.3 * torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    second = 0.5 * first + second
    weigh = {"invariance": 25.0, "variance": 25.0, "covariance": 1.0, **weights}
    covariances = [torch.cov(side.T).fill_diagonal_(0).square().sum() / 5 for side in (first, second)]
    hinges = [(1 - (side.var(dim=0) + 1e-4).sqrt()).clamp(min=0).mean() / 2 for side in (first, second)]
    wanted = weigh["invariance"] * (first - second).square().mean()
    wanted += weigh["variance"] * sum(hinges) + weigh["covariance"] * sum(covariances)
    term = VicReg.model_validate({"kind": "vicreg", **weights}).compute(outputs(torch.cat([first, second])), None)
    assert term.item() == pytest.approx(wanted.item() / sum(weigh.values()), rel=1e-5)
