"""The mathematics of the loss terms, as functions of tensors. `terms.py` has their configs.

Source: KL of diagonal Gaussians: Kingma and Welling 2014, appendix B; sparse KL: Ng 2011, "Sparse autoencoder";
InfoNCE: Chen et al. 2020 (SimCLR); VICReg: Bardes et al. 2022.
"""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F


def gaussian_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence of N(mu, exp(logvar)) from N(0, 1) for each unit, in nats.

    >>> round(gaussian_kl(torch.tensor([1.2, -0.5, 0.0]), torch.tensor([-1.0, 0.5, 0.3])).sum().item(), 4)
    1.1282
    """
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def bernoulli_kl(rho: float, mean: Tensor) -> Tensor:
    """KL divergence of Bernoulli(rho) from Bernoulli(mean), in nats.

    >>> round(bernoulli_kl(0.05, torch.tensor(0.7)).item(), 4)
    0.9631
    """
    mean = mean.clamp(1e-6, 1 - 1e-6)
    rho_ = torch.as_tensor(rho, dtype=mean.dtype, device=mean.device)
    return rho_ * torch.log(rho_ / mean) + (1 - rho_) * torch.log((1 - rho_) / (1 - mean))


def info_nce(embedding: Tensor, tracks: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding each clip's partner; other clips of the same track are not used as negatives.

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


def gather_pairs(embedding: Tensor, tracks: Tensor) -> tuple[Tensor, Tensor]:
    """The pairs of all processes, first clips first, so that clips of one process are negatives of those of another.

    Each process computes the whole loss, and an embedding gets its gradient from every process: the mean over processes
    that DDP takes is the gradient of that loss. A single process gets its own pairs back.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return embedding, tracks
    from torch.distributed.nn.functional import all_gather

    everywhere = all_gather(embedding.contiguous())
    numbers = [torch.empty_like(tracks) for _ in everywhere]
    dist.all_gather(numbers, tracks.contiguous())
    firsts, seconds = zip(*(part.chunk(2) for part in everywhere), strict=True)
    first_numbers, second_numbers = zip(*(part.chunk(2) for part in numbers), strict=True)
    return torch.cat([*firsts, *seconds]), torch.cat([*first_numbers, *second_numbers])


def variance_term(embedding: Tensor) -> Tensor:
    """Mean over the units of max(0, 1 - deviation over the batch), which divides by n - 1, as VICReg's authors do."""
    variance = embedding.var(dim=0, correction=min(len(embedding) - 1, 1))
    return F.relu(1 - torch.sqrt(variance + 1e-4)).mean()


def covariance_term(embedding: Tensor) -> Tensor:
    """Sum of the squared covariances between different units, divided by the number of units."""
    centered = embedding - embedding.mean(dim=0)
    covariance = centered.T @ centered / max(len(embedding) - 1, 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / embedding.shape[1]


def vicreg(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Invariance, variance and covariance terms of two sets of embeddings (p, d) of the same p tracks."""
    variance = variance_term(first) + variance_term(second)
    covariance = covariance_term(first) + covariance_term(second)
    return F.mse_loss(first, second), variance / 2, covariance
