"""What a trained model makes of places in its latent space: codes of the codebook, and mels that the decoder draws.

Conventions
-----------
- A place is an embedding (n, 128), scaled as `Embedder.embed` returns it, or a latent (n, 128), the decoder's input.
- Mels are uint8 codes (n, 128, 130) as `audio.mel` stores them, relative to the 0 dB of the model's training clips: two
  mels of one model can be compared. No mel is scaled to its own maximum.
- Decoding an embedding skips the quantizer, as in `Embedder.decode`: the way between two places has no jumps.
- A book is one part of the latent at one level of the quantizer: number `level * groups + group`. Parts that share a
  codebook are books of their own, with the same vectors.
- One code is decoded in place of its book's mean: every other book has the mean of its code vectors over the catalog.
  What differs from the mel of all means is what this code adds. Clips that have the code also differ in other books,
  so their mean would show more than the code.
"""

import numpy as np
import torch
from torch import Tensor

from audioae.constants import FLOOR_DB
from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.bottleneck_nets import VqBottleneck
from audioae.model.embedder import Embedder
from audioae.model.threads import cpu_threads
from audioae.model.vq import Quantizer

BLOCK = 32  # mels that are decoded at a time
ASSIGNED = 2_048  # places whose distances to all codes are in memory: 32 MiB with 16 books of 256


@torch.inference_mode()
@cpu_threads()
def decode_embeddings(embedder: Embedder, embeddings: np.ndarray) -> np.ndarray:
    """Decode embeddings (n, 128), float32, to mel codes (n, 128, 130), uint8."""
    places = torch.from_numpy(np.ascontiguousarray(embeddings, np.float32)).to(embedder.device)
    return np.concatenate([quantized_mels(embedder.model.decode(block)) for block in places.split(BLOCK)])


@torch.inference_mode()
@cpu_threads()
def decode_latents(embedder: Embedder, latents: np.ndarray) -> np.ndarray:
    """Decode latents (n, 128), float32, to mel codes (n, 128, 130), uint8."""
    places = torch.from_numpy(np.ascontiguousarray(latents, np.float32)).to(embedder.device)
    return np.concatenate([quantized_mels(embedder.model.decode_latents(block)) for block in places.split(BLOCK)])


@torch.inference_mode()
@cpu_threads()
def assign_codes(embedder: Embedder, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest code of each book, and its distance, for embeddings (n, 128).

    Returns
    -------
    codes : np.ndarray, shape (n_books, n), uint16
    distances : np.ndarray, shape (n_books, n), float32
        Euclidean, in the units of the latent.

    Raises
    ------
    ModelError
        If the model has no codebook.
    """
    quantizer = _quantizer(embedder)
    places = torch.from_numpy(np.ascontiguousarray(embeddings, np.float32)).to(embedder.device)
    blocks = [quantizer.assign(embedder.model.embedding_norm.invert(block)) for block in places.split(ASSIGNED)]
    codes, distances = (torch.cat(parts, dim=2).flatten(0, 1).cpu().numpy() for parts in zip(*blocks, strict=True))
    return codes.astype(np.uint16), distances


@torch.inference_mode()
def decode_code(embedder: Embedder, counts: np.ndarray, book: int, code: int) -> np.ndarray:
    """Decode one code: the mel with it, and the mel of the means (see the module), (2, 128, 130), uint8.

    Parameters
    ----------
    embedder : Embedder
    counts : np.ndarray, shape (n_books, codebook_size), int64
        How often the catalog has each code.
    book, code : int

    Raises
    ------
    ModelError
        If the model has no codebook.
    """
    vectors = _quantizer(embedder).books().float().cpu().flatten(0, 1)
    shares = torch.from_numpy(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).float()
    means = torch.einsum("bc,bcd->bd", shares, vectors)
    parts = torch.stack([means, means])
    parts[0, book] = vectors[book, code]
    levels = parts.unflatten(1, (-1, _quantizer(embedder).groups)).sum(dim=1)
    return decode_latents(embedder, levels.flatten(1).numpy())


def _quantizer(embedder: Embedder) -> Quantizer:
    model = embedder.model
    if not isinstance(model, ConvAutoencoder) or not isinstance(model.bottleneck, VqBottleneck):
        raise ModelError("the model has no codebook: its bottleneck is not vq")
    return model.bottleneck.quantizer


def quantized_mels(mels_db: Tensor) -> np.ndarray:
    """Mels in dB in [-80, 0] as uint8 codes."""
    return ((mels_db.float() - FLOOR_DB) * (255 / -FLOOR_DB)).round().to(torch.uint8).cpu().numpy()
