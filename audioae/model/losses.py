"""The mathematics of the loss terms: functions of tensors. `terms.py` has their configs.

Source: KL of diagonal Gaussians: Kingma and Welling 2014, appendix B; sparse KL: Ng 2011, "Sparse autoencoder";
InfoNCE: Chen et al. 2020 (SimCLR); VICReg: Bardes et al. 2022.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL of N(mu, exp(logvar)) to N(0, 1), in nats, for each unit apart.

    >>> round(gaussian_kl(torch.tensor([1.2, -0.5, 0.0]), torch.tensor([-1.0, 0.5, 0.3])).sum().item(), 4)
    1.1282
    """
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def bernoulli_kl(rho: float, mean: Tensor) -> Tensor:
    """KL of Bernoulli(rho) to Bernoulli(mean), in nats.

    >>> round(bernoulli_kl(0.05, torch.tensor(0.7)).item(), 4)
    0.9631
    """
    mean = mean.clamp(1e-6, 1 - 1e-6)
    rho_ = torch.as_tensor(rho, dtype=mean.dtype, device=mean.device)
    return rho_ * torch.log(rho_ / mean) + (1 - rho_) * torch.log((1 - rho_) / (1 - mean))


def info_nce(embedding: Tensor, tracks: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding each clip's partner; other clips of its track are no negatives.

    Parameters
    ----------
    embedding : Tensor, shape (2 p, d)
        The first and the second clip of p tracks.
    tracks : Tensor, shape (2 p,), int64
    temperature : float
    """
    unit = F.normalize(embedding.float(), dim=1)
    logits = unit @ unit.T / temperature
    n = len(unit)
    rows = torch.arange(n, device=unit.device)
    partner = (rows + n // 2) % n
    same = tracks.unsqueeze(0) == tracks.unsqueeze(1)
    same[rows, partner] = False
    same[rows, rows] = True
    return F.cross_entropy(logits.masked_fill(same, float("-inf")), partner)


def variance_term(embedding: Tensor) -> Tensor:
    """Mean shortfall of the units' deviation over the batch from 1."""
    return F.relu(1 - torch.sqrt(embedding.var(dim=0, correction=0) + 1e-4)).mean()


def covariance_term(embedding: Tensor) -> Tensor:
    """Sum of squared covariances between different units, per unit."""
    centered = embedding - embedding.mean(dim=0)
    covariance = centered.T @ centered / max(len(embedding) - 1, 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / embedding.shape[1]


def vicreg(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Invariance, variance and covariance of two sets of embeddings (p, d) of the same p tracks."""
    spread = variance_term(first) + variance_term(second)
    crossed = covariance_term(first) + covariance_term(second)
    return F.mse_loss(first, second), spread / 2, crossed
