"""Terms of the loss: each a pure function of one step's outputs.

The loss is the sum of weight x schedule(step) x term. A term's name is its key in the log; weight 0 only reports it.

Conventions
-----------
- mse and kl are per input bin (16,640 of them): their balance does not depend on the size of a clip.
- A term says what it `NEEDS` from the bottleneck or the loader; see `ModelConfig` for the check.
- Pairs: the first half of a batch and the second half are two clips of the same tracks, in the same order.

Source: KL of diagonal Gaussians: Kingma and Welling 2014, appendix B; free bits: Kingma et al. 2016; sparse KL: Ng
2011, "Sparse autoencoder"; contractive: Rifai et al. 2011, with Hutchinson's estimate; InfoNCE: Chen et al. 2020
(SimCLR); VICReg: Bardes et al. 2022.
"""

from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from audioae.config import Config
from audioae.model.blocks import N_BINS
from audioae.model.bottlenecks import Latent
from audioae.model.schedules import Constant, Schedule


class Outputs(NamedTuple):
    """One forward pass: normalized mels (n, 128, 130), the latent, and the track (n,) each clip is from."""

    input: Tensor
    target: Tensor
    reconstruction: Tensor
    latent: Latent
    tracks: Tensor


class Term(Config):
    """Base of all terms; a subclass adds `kind`, its arguments, `NEEDS` and `compute`."""

    NEEDS: ClassVar[frozenset[str]] = frozenset()
    kind: str
    weight: float = Field(default=1.0, ge=0)
    schedule: Schedule = Constant()
    name: str | None = None

    @property
    def key(self) -> str:
        return self.name or self.kind

    def weight_at(self, step: int) -> float:
        return self.weight * self.schedule.at(step)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        raise NotImplementedError


class Mse(Term):
    """Mean squared error of the reconstruction against the clean mel, per bin, in normalized units."""

    kind: Literal["mse"]

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        return F.mse_loss(outputs.reconstruction, outputs.target)


class L1(Term):
    """Mean absolute value of the latent's units."""

    kind: Literal["l1"]

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        return outputs.latent.embedding.abs().mean()


class SparseKl(Term):
    """KL between a Bernoulli of mean `rho` and each unit's mean over the batch, averaged over units."""

    NEEDS = frozenset({"activation"})
    kind: Literal["sparse_kl"]
    rho: float = Field(default=0.05, gt=0, lt=1)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        return bernoulli_kl(self.rho, outputs.latent.stats["activation"].mean(dim=0)).mean()


class Kl(Term):
    """KL of the posterior to the standard normal, per input bin; a unit's first `free_bits` nats cost nothing."""

    NEEDS = frozenset({"posterior"})
    kind: Literal["kl"]
    free_bits: float = Field(default=0.0, ge=0)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        stats = outputs.latent.stats
        per_unit = gaussian_kl(stats["mu"], stats["logvar"]).mean(dim=0)
        return per_unit.clamp(min=self.free_bits).sum() / N_BINS


class Contractive(Term):
    """Squared Frobenius norm of d embedding / d input, estimated from `probes` random projections, per clip."""

    NEEDS = frozenset({"input_gradient"})
    kind: Literal["contractive"]
    probes: int = Field(default=1, ge=1)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        embedding = outputs.latent.embedding
        estimates = []
        for _ in range(self.probes):
            probe = torch.randn(embedding.shape, generator=generator, device=embedding.device)
            (gradient,) = torch.autograd.grad(
                (embedding * probe).sum(), outputs.input, create_graph=True, retain_graph=True
            )
            estimates.append(gradient.square().flatten(1).sum(dim=1).mean())
        return torch.stack(estimates).mean()


class Commitment(Term):
    """Mean squared distance of the latent to its codes; moves the encoder, the codes follow by moving average."""

    NEEDS = frozenset({"commitment"})
    kind: Literal["commitment"]

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        return outputs.latent.stats["commitment"]


class InfoNce(Term):
    """Consistency: find the other clip of the same track among the batch, by cosine over `temperature`."""

    NEEDS = frozenset({"pairs"})
    kind: Literal["info_nce"]
    temperature: float = Field(default=0.15, gt=0)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        return info_nce(outputs.latent.embedding, outputs.tracks, self.temperature)


class VicReg(Term):
    """Consistency without negatives: pairs close, each unit spread to a deviation of 1, units uncorrelated."""

    NEEDS = frozenset({"pairs"})
    kind: Literal["vicreg"]
    invariance: float = Field(default=25.0, ge=0)
    variance: float = Field(default=25.0, ge=0)
    covariance: float = Field(default=1.0, ge=0)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        first, second = outputs.latent.embedding.chunk(2)
        spread = variance_term(first) + variance_term(second)
        crossed = covariance_term(first) + covariance_term(second)
        loss = self.invariance * F.mse_loss(first, second) + self.variance * spread / 2 + self.covariance * crossed
        return loss / (self.invariance + self.variance + self.covariance)


TermConfig = Annotated[
    Mse | L1 | SparseKl | Kl | Contractive | Commitment | InfoNce | VicReg, Field(discriminator="kind")
]


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
