"""From clips to embeddings: a trained model in its fastest form, in blocks of one size.

Conventions
-----------
- Codes (n, 128, 130) uint8 in, embeddings (n, 128) float32 out, in the order given.
- Every block has the same shape, the last one padded: what a clip gets does not depend on its batch.
- A track's embedding is the mean over its clips, then L2-normalized: no whitening.
"""

import copy

import numpy as np
import torch
from torch import nn

from audioae.constants import EMBEDDING_DIM, N_FRAMES, N_MELS
from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.blocks import Stage
from audioae.model.pca import PcaModel
from audioae.model.threads import cpu_threads

BLOCK = 16


class Embedder:
    """A trained model, folded and laid out for inference.

    Parameters
    ----------
    model : ConvAutoencoder or PcaModel
        Left as it is; a copy is taken.
    device : str
        "cpu", "cuda", "mps", or "auto": a GPU if there is one.
    """

    def __init__(self, model: ConvAutoencoder | PcaModel, device: str = "auto"):
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        self.model = fold(model).to(self.device)

    @torch.inference_mode()
    @cpu_threads()
    def embed(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings (n, 128) and reconstruction errors (n,) of clips, both float32.

        The error is the mean squared difference per bin of the normalized mel.

        Raises
        ------
        ModelError
            If `codes` is not (n, 128, 130) uint8.
        """
        if codes.ndim != 3 or codes.shape[1:] != (N_MELS, N_FRAMES) or codes.dtype != np.uint8:
            raise ModelError(f"embed: got {codes.shape} {codes.dtype}, wanted (n, {N_MELS}, {N_FRAMES}) uint8 codes")
        embeddings = np.empty((len(codes), EMBEDDING_DIM), np.float32)
        errors = np.empty(len(codes), np.float32)
        for start in range(0, len(codes), BLOCK):
            block = codes[start : start + BLOCK]
            padded = np.zeros((BLOCK, N_MELS, N_FRAMES), np.uint8)
            padded[: len(block)] = block
            found, error = self.model.embed_and_score(torch.from_numpy(padded).to(self.device))
            embeddings[start : start + BLOCK] = found[: len(block)].cpu().numpy()
            errors[start : start + BLOCK] = error[: len(block)].cpu().numpy()
        return embeddings, errors

    @torch.inference_mode()
    @cpu_threads()
    def reconstruct(self, codes: np.ndarray) -> np.ndarray:
        """Mels as the decoder gives them back, (n, 128, 130) float32 in dB; for a few clips, to look at."""
        return self.model.reconstruct(torch.from_numpy(codes).to(self.device)).float().cpu().numpy()

    @torch.inference_mode()
    @cpu_threads()
    def decode(self, embeddings: np.ndarray) -> np.ndarray:
        """Mels (n, 128, 130) float32 in dB that the decoder makes of embeddings (n, 128) of the length `embed` gives.

        An embedding pooled over clips has no events: its mel is a smooth, blurred spectrum.
        """
        return self.model.decode(torch.from_numpy(embeddings).to(self.device)).float().cpu().numpy()


def fold(model: ConvAutoencoder | PcaModel) -> ConvAutoencoder | PcaModel:
    """A copy in eval mode with batch norms multiplied into convolutions and channels laid out last."""
    folded = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, Stage):
            module.fold()
    for module in folded.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return folded


def pool_track(embeddings: np.ndarray) -> tuple[np.ndarray, float]:
    """A track's embedding (128,), of length 1, and the `spread` of its clips.

    Spread is 1 - mean cosine of the clips to the track's embedding: 0 where all clips sound the same.

    >>> track, spread = pool_track(np.ones((2, 128), np.float32))
    >>> round(float(np.linalg.norm(track)), 5), abs(round(spread, 5))
    (1.0, 0.0)
    """
    if embeddings.ndim != 2 or len(embeddings) == 0:
        raise ModelError(f"pool_track: got shape {embeddings.shape}, wanted (n, {EMBEDDING_DIM}) with n at least 1")
    track = embeddings.mean(axis=0, dtype=np.float64)
    track /= max(float(np.linalg.norm(track)), 1e-12)
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1), 1e-12)
    return track.astype(np.float32), float(1.0 - np.mean(embeddings @ track / lengths))


def pool_tracks(embeddings: np.ndarray, track: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n, 128) and spreads (n,) of tracks, from clips' embeddings and their track numbers 0 to n - 1.

    >>> pool_tracks(np.eye(2, 128, dtype=np.float32), np.array([1, 0]))[0].argmax(axis=1).tolist()
    [1, 0]
    """
    order = np.argsort(track, kind="stable")
    ends = np.flatnonzero(np.diff(track[order])) + 1
    pooled = [pool_track(own) for own in np.split(embeddings[order], ends)]
    return np.stack([found for found, _ in pooled]), np.array([spread for _, spread in pooled])
