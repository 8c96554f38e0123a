"""Vector quantization: nearest codes, learned by exponential moving averages.

A vector of `dim` numbers is split into `groups` parts. Each part is replaced by the nearest code of its group's
codebook (product quantization), or of one codebook for all parts (`shared`: the textbook VQ-VAE, with parts in place of
positions). With `levels` above 1, each level quantizes the residual of the level before (residual quantization).

Conventions
-----------
- Vectors are (n, dim) float32. Books are the codebooks of one level: 1 if shared, else one per group.
- All state that training changes is in buffers, including the flag of the k-means start: a checkpoint resumes exactly.
- There are no random numbers: k-means starts from evenly spaced vectors, and a dead code restarts at a vector chosen by
  counting.
- With several processes, vectors are gathered first, so that every process keeps the same codebooks.
- With `learn_from`, codebooks learn from so many vectors of a step at most, evenly spaced from a start that moves on
  with each step.
- Perplexity is exp(entropy) of the running share of each code, from 1 (one code for all) to `codebook_size`. The shares
  are separate from the counts of the moving average, because restarts change those counts.

Source: van den Oord et al. 2017, "Neural Discrete Representation Learning", appendix A.1; restarts from Dhariwal et al.
2020, "Jukebox", section 3.
"""

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

KMEANS_ROUNDS = 10
DEAD_SHARE = 0.1  # of the uniform share n / codebook_size
PRIME = 7919
COMPARED = 1 << 16  # vectors whose distances to all codes are in memory


class Quantized(NamedTuple):
    """The output of the quantizer: `z` (n, dim) with straight-through gradients, `codes` (levels, groups, n)."""

    z: Tensor
    codes: Tensor
    commitment: Tensor
    perplexity: Tensor
    dead_codes: Tensor


class Quantizer(nn.Module):
    """Product, shared or residual vector quantizer with EMA codebooks (see the module)."""

    codebooks: Tensor
    sums: Tensor
    counts: Tensor
    usage: Tensor
    initialized: Tensor
    updates: Tensor

    def __init__(
        self,
        dim: int,
        groups: int,
        codebook_size: int,
        levels: int,
        shared: bool,
        decay: float,
        learn_from: int | None = None,
    ):
        super().__init__()
        self.groups = groups
        self.shared = shared
        self.decay = decay
        self.learn_from = learn_from
        books = 1 if shared else groups
        self.register_buffer("codebooks", torch.zeros(levels, books, codebook_size, dim // groups))
        self.register_buffer("sums", torch.zeros(levels, books, codebook_size, dim // groups))
        self.register_buffer("counts", torch.zeros(levels, books, codebook_size))
        self.register_buffer("usage", torch.full((levels, books, codebook_size), 1 / codebook_size))
        self.register_buffer("initialized", torch.tensor(False))
        self.register_buffer("updates", torch.tensor(0))

    def forward(self, z: Tensor) -> Quantized:
        residual = self._split(z)
        start = self.training and not bool(self.initialized)
        total = torch.zeros_like(residual)
        commitments, codes = [], []
        for level in range(len(self.codebooks)):
            vectors = residual.detach()
            if self.training:
                vectors_everywhere = _gather(self._sample(vectors))
                if start:
                    self._start(level, vectors_everywhere)
            chosen = nearest(vectors, self.codebooks[level])
            quantized = _look_up(self.codebooks[level], chosen)
            if self.training:
                self._update(level, vectors_everywhere)
            commitments.append(F.mse_loss(residual, quantized))
            total = total + quantized
            residual = residual - quantized
            codes.append(chosen)
        if self.training:
            self.initialized.fill_(True)
            self.updates.add_(1)
        quantized = self._join(total)
        return Quantized(
            z=z + (quantized - z).detach(),
            codes=torch.stack([chosen.view(self.groups, -1) for chosen in codes]),
            commitment=torch.stack(commitments).mean(),
            perplexity=perplexity(self.usage).mean(),
            dead_codes=(self.usage < DEAD_SHARE / self.usage.shape[-1]).sum(),
        )

    @torch.no_grad()
    def assign(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest code of each part, and its distance: both (levels, groups, n).

        At a level above the first, the distance is that of the residual of the levels before.
        """
        residual, codes, distances = self._split(z), [], []
        for books in self.codebooks:
            chosen = nearest(residual, books)
            residual = residual - _look_up(books, chosen)
            codes.append(chosen.view(self.groups, -1))
            distances.append(residual.norm(dim=2).view(self.groups, -1))
        return torch.stack(codes), torch.stack(distances)

    def books(self) -> Tensor:
        """The code vectors of each level and group, (levels, groups, codebook_size, dim / groups), shared or not."""
        return self.codebooks.expand(-1, self.groups, -1, -1)

    def _split(self, z: Tensor) -> Tensor:
        """Reshape (n, dim) to (books, vectors, dim / groups); with a shared book, parts are ordered group by group."""
        parts = z.unflatten(1, (self.groups, -1)).transpose(0, 1)
        return parts.reshape(1, -1, parts.shape[2]) if self.shared else parts

    def _join(self, parts: Tensor) -> Tensor:
        return parts.reshape(self.groups, -1, parts.shape[2]).transpose(0, 1).flatten(1)

    def _sample(self, vectors: Tensor) -> Tensor:
        n = vectors.shape[1]
        if self.learn_from is None or n <= self.learn_from:
            return vectors
        places = torch.arange(self.learn_from, device=vectors.device) * n // self.learn_from
        return vectors[:, (places + self.updates) % n]

    @torch.no_grad()
    def _start(self, level: int, vectors: Tensor) -> None:
        """Initialize codebooks by k-means on `vectors`, shape (books, n, d)."""
        n, size = vectors.shape[1], self.codebooks.shape[2]
        centers = vectors[:, torch.arange(size, device=vectors.device) * n // size].clone()
        for _ in range(KMEANS_ROUNDS):
            sums, counts = _assign(vectors, nearest(vectors, centers), size)
            centers = torch.where(counts.unsqueeze(2) > 0, sums / counts.clamp(min=1).unsqueeze(2), centers)
        self.codebooks[level] = centers
        self.counts[level] = n / size
        self.sums[level] = centers * (n / size)

    @torch.no_grad()
    def _update(self, level: int, vectors: Tensor) -> None:
        """Take one step of the moving averages, then restart dead codes at vectors of the batch."""
        n, size = vectors.shape[1], self.codebooks.shape[2]
        sums, counts = _assign(vectors, nearest(vectors, self.codebooks[level]), size)
        self.usage[level].lerp_(counts / n, 1 - self.decay)
        self.counts[level].lerp_(counts, 1 - self.decay)
        self.sums[level].lerp_(sums, 1 - self.decay)
        dead = self.counts[level] < DEAD_SHARE * n / size
        restarts = vectors[:, (torch.arange(size, device=vectors.device) * PRIME + self.updates) % n]
        self.counts[level] = torch.where(dead, n / size, self.counts[level])
        self.sums[level] = torch.where(dead.unsqueeze(2), restarts * (n / size), self.sums[level])
        self.codebooks[level] = self.sums[level] / laplace(self.counts[level]).unsqueeze(2)


def nearest(vectors: Tensor, codebooks: Tensor) -> Tensor:
    """Find the nearest code of each vector: (books, n, d) and (books, size, d) to indices (books, n)."""
    lengths, transposed = codebooks.square().sum(2).unsqueeze(1), codebooks.transpose(1, 2)
    blocks = vectors.split(COMPARED, dim=1)
    return torch.cat([torch.baddbmm(lengths, block, transposed, alpha=-2).argmin(dim=2) for block in blocks], dim=1)


def laplace(counts: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Add `epsilon` to each count and rescale to the same total, so that no count is zero."""
    total = counts.sum(dim=-1, keepdim=True)
    return (counts + epsilon) / (total + counts.shape[-1] * epsilon) * total


def perplexity(share: Tensor) -> Tensor:
    """Compute exp(entropy) over the last axis.

    >>> round(perplexity(torch.full((256,), 1 / 256)).item())
    256
    """
    share = share / share.sum(dim=-1, keepdim=True)
    return torch.exp(-(share * torch.log(share.clamp(min=1e-12))).sum(dim=-1))


def _look_up(codebooks: Tensor, chosen: Tensor) -> Tensor:
    return torch.gather(codebooks, 1, chosen.unsqueeze(2).expand(-1, -1, codebooks.shape[2]))


def _assign(vectors: Tensor, chosen: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Sum and count the vectors that chose each code, by a matrix product: its order of summation is fixed."""
    member = F.one_hot(chosen, size).to(vectors.dtype)
    return member.transpose(1, 2) @ vectors, member.sum(dim=1)


def _gather(vectors: Tensor) -> Tensor:
    if not (dist.is_available() and dist.is_initialized()):
        return vectors
    everywhere = [torch.empty_like(vectors) for _ in range(dist.get_world_size())]
    dist.all_gather(everywhere, vectors.contiguous())
    return torch.cat(everywhere, dim=1)
