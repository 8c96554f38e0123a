"""The baseline: principal components of the flattened mel, with the same `embed` and `decode` as the autoencoder.

At small training budgets it reconstructs better than every network tried, and retrieves worse than every network that
trains with a consistency term. A model that does not beat it in retrieval has learned nothing.

Source: randomized subspace iteration, Halko, Martinsson and Tropp 2011, algorithm 4.4. It streams over blocks of clips,
so memory use does not grow with their number.
"""

import numpy as np
import torch
from torch import Tensor, nn

from audioae.constants import EMBEDDING_DIM, FLOOR_DB, N_BINS, N_FRAMES, N_MELS
from audioae.model.blocks import EmbeddingNorm, MelNorm, mel_db

OVERSAMPLING = 16
ROUNDS = 4
BLOCK = 256


class PcaModel(nn.Module):
    """The first 128 principal components of normalized mels: orthonormal rows of `components`, strongest first."""

    center: Tensor
    components: Tensor

    def __init__(self):
        super().__init__()
        self.mel_norm = MelNorm()
        self.register_buffer("center", torch.zeros(N_BINS))
        self.register_buffer("components", torch.zeros(EMBEDDING_DIM, N_BINS))
        self.embedding_norm = EmbeddingNorm()

    @torch.no_grad()
    def fit(self, codes: np.ndarray, rows: np.ndarray, seed: int = 0) -> None:
        """Fit the components to `codes[rows]`; with fewer than 129 clips the last components are zero.

        Parameters
        ----------
        codes : np.ndarray, shape (n, 128, 130), uint8
        rows : np.ndarray, int64
        """

        def blocks():
            for start in range(0, len(rows), BLOCK):
                block = torch.from_numpy(codes[rows[start : start + BLOCK]])
                yield self.mel_norm(mel_db(block)).flatten(1) - self.center

        self.center.zero_()
        self.center.copy_(torch.stack([block.sum(dim=0) for block in blocks()]).sum(dim=0) / len(rows))
        generator = torch.Generator().manual_seed(seed)
        basis = torch.randn(N_BINS, EMBEDDING_DIM + OVERSAMPLING, generator=generator)
        for _ in range(ROUNDS):
            basis = torch.linalg.qr(basis)[0]
            product = torch.zeros_like(basis)
            for block in blocks():
                product += block.T @ (block @ basis)
            basis = product
        basis = torch.linalg.qr(basis)[0]
        gram = torch.zeros(basis.shape[1], basis.shape[1])
        for block in blocks():
            scores = block @ basis
            gram += scores.T @ scores
        strengths, order = (part.flip(-1)[..., :EMBEDDING_DIM] for part in torch.linalg.eigh(gram))
        self.components.copy_((basis @ order).T * (strengths > 1e-6 * strengths[0]).unsqueeze(1))

    def embed(self, mels: Tensor) -> Tensor:
        """Compute embeddings (n, 128), centered and scaled."""
        scores = (self.mel_norm(mel_db(mels)).flatten(1) - self.center) @ self.components.T
        return self.embedding_norm(scores)

    def decode(self, embeddings: Tensor) -> Tensor:
        """Decode embeddings to mels in dB (n, 128, 130)."""
        return self.decode_latents(self.embedding_norm.invert(embeddings))

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Decode scores of the components (n, 128) to mels in dB (n, 128, 130)."""
        return self.mel_norm.invert(self._expand(latents)).clamp(FLOOR_DB, 0.0)

    def reconstruct(self, mels: Tensor) -> Tensor:
        """Project mels on the components; returns dB (n, 128, 130)."""
        return self.decode(self.embed(mels))

    def embed_and_score(self, mels: Tensor) -> tuple[Tensor, Tensor]:
        """Compute embeddings (n, 128) and mean squared reconstruction errors per bin (n,), in normalized units."""
        embeddings = self.embed(mels)
        scores = self.embedding_norm.invert(embeddings)
        error = (self._expand(scores) - self.mel_norm(mel_db(mels))).square().mean(dim=(1, 2))
        return embeddings, error

    def _expand(self, scores: Tensor) -> Tensor:
        return (scores @ self.components + self.center).unflatten(1, (N_MELS, N_FRAMES))
