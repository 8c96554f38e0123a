"""Terms of the loss: each is a pure function of one step's outputs.

The loss is the sum of weight x schedule(step) x term. A term is logged under its name; a term of weight 0 is only
logged.

Conventions
-----------
- mse and kl are per input bin (16,640 bins), so their balance does not depend on the size of a clip.
- A term lists what it `NEEDS` from the bottleneck or the loader; `ModelConfig` checks it.
- Pairs: the first and the second half of a batch are two clips of the same tracks, in the same order.

Source: free bits: Kingma et al. 2016; contractive: Rifai et al. 2011, with Hutchinson's estimate. `losses.py` names the
sources of the other terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from audioae.config import Config
from audioae.constants import EMBEDDING_DIM, N_BINS
from audioae.model.schedules import Constant, Schedule

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from audioae.model.bottleneck_nets import Latent
    from audioae.model.grid_nets import GridOutput


class Outputs(NamedTuple):
    """One forward pass: normalized mels (n, 128, 130), the latent, and the track number of each clip (n,).

    `grid` is the output of the grid of codes for the first half of the clips; None without a grid.
    """

    input: Tensor
    target: Tensor
    reconstruction: Tensor
    latent: Latent
    tracks: Tensor
    grid: GridOutput | None = None
    n_learned: int = EMBEDDING_DIM

    @property
    def learned(self) -> Tensor:
        """The learned units of the embedding, (n, `n_learned`): those that consistency terms compare."""
        return self.latent.embedding[:, : self.n_learned]


class Term(Config):
    """Base class of all terms; a subclass adds `kind`, its arguments, `NEEDS` and `compute`."""

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
        from torch.nn.functional import mse_loss

        return mse_loss(outputs.reconstruction, outputs.target)


class L1(Term):
    """Mean absolute value of the embedding's units."""

    kind: Literal["l1"]

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        return outputs.latent.embedding.abs().mean()


class SparseKl(Term):
    """KL divergence of Bernoulli(`rho`) from each unit's mean activation over the batch, averaged over units."""

    NEEDS = frozenset({"activation"})
    kind: Literal["sparse_kl"]
    rho: float = Field(default=0.05, gt=0, lt=1)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        from audioae.model import losses

        return losses.bernoulli_kl(self.rho, outputs.latent.stats["activation"].mean(dim=0)).mean()


class Kl(Term):
    """KL divergence of the posterior from N(0, 1), per input bin; the first `free_bits` nats of a unit cost nothing."""

    NEEDS = frozenset({"posterior"})
    kind: Literal["kl"]
    free_bits: float = Field(default=0.0, ge=0)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        from audioae.model import losses

        stats = outputs.latent.stats
        per_unit = losses.gaussian_kl(stats["mu"], stats["logvar"]).mean(dim=0)
        return per_unit.clamp(min=self.free_bits).sum() / N_BINS


class Contractive(Term):
    """Squared Frobenius norm of d embedding / d input, estimated from `probes` random projections, per clip."""

    NEEDS = frozenset({"input_gradient"})
    kind: Literal["contractive"]
    probes: int = Field(default=1, ge=1)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        import torch

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
    """Mean squared distance of the latent to its codes. It moves the encoder; codes follow by moving average."""

    NEEDS = frozenset({"commitment"})
    kind: Literal["commitment"]

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        return outputs.latent.stats["commitment"]


class Grid(Term):
    """Mean squared error of the reconstruction from the grid of codes, per bin, plus `commitment` x its commitment.

    Its target is what the encoder got, augmented: codes say where in the input something is, and the augmentation may
    have moved it.
    """

    NEEDS = frozenset({"grid"})
    kind: Literal["grid"]
    commitment: float = Field(default=0.25, ge=0)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        from torch.nn.functional import mse_loss

        assert outputs.grid is not None
        error = mse_loss(outputs.grid.reconstruction, outputs.grid.target)
        return error + self.commitment * outputs.grid.commitment


class InfoNce(Term):
    """Consistency: find the other clip of the same track in the batch of all processes, by cosine / `temperature`."""

    NEEDS = frozenset({"pairs"})
    kind: Literal["info_nce"]
    temperature: float = Field(default=0.15, gt=0)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        from audioae.model import losses

        embedding, tracks = losses.gather_pairs(outputs.learned, outputs.tracks)
        return losses.info_nce(embedding, tracks, self.temperature)


class VicReg(Term):
    """Consistency without negatives: close pairs, a deviation of 1 per unit, uncorrelated units."""

    NEEDS = frozenset({"pairs"})
    kind: Literal["vicreg"]
    invariance: float = Field(default=25.0, ge=0)
    variance: float = Field(default=25.0, ge=0)
    covariance: float = Field(default=1.0, ge=0)

    def compute(self, outputs: Outputs, generator: torch.Generator | None) -> Tensor:
        from audioae.model import losses

        embedding, _ = losses.gather_pairs(outputs.learned, outputs.tracks)
        first, second = embedding.chunk(2)
        invariance, variance, covariance = losses.vicreg(first, second)
        weighted = self.invariance * invariance + self.variance * variance + self.covariance * covariance
        return weighted / (self.invariance + self.variance + self.covariance)


TermConfig = Annotated[
    Mse | L1 | SparseKl | Kl | Contractive | Commitment | Grid | InfoNce | VicReg, Field(discriminator="kind")
]
