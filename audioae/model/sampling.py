"""Draw latents from what a model takes as the distribution of its latents, for the decoder to make mels of.

Conventions
-----------
- A VAE has a prior: each unit of the latent is drawn from N(0, 1).
- A codebook has none: each book's code is drawn by its share of the catalog's clips, independently of other books.
  Clips have codes that go together, so this is the crudest prior over codes, and a bound for better ones.
- Other bottlenecks say nothing about which latents are likely, and are refused.

Source: Kingma and Welling 2014 (a VAE's prior); van den Oord, Vinyals and Kavukcuoglu 2017, whose VQ-VAE learns a prior
over codes after training: none is learned here.
"""

import numpy as np
import torch

from audioae.constants import EMBEDDING_DIM
from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.bottleneck_nets import GaussianBottleneck, VqBottleneck
from audioae.model.embedder import Embedder
from audioae.model.latent_space import assign_codes


@torch.inference_mode()
def draw_latents(embedder: Embedder, n: int, embeddings: np.ndarray, seed: int = 0) -> np.ndarray:
    """Draw latents (n, 128), float32, for `latent_space.decode_latents`.

    Parameters
    ----------
    embedder : Embedder
    n : int
    embeddings : np.ndarray, shape (m, 128), float32
        Of clips of the catalog, whose codes are counted; a VAE does not need them.
    seed : int

    Raises
    ------
    ModelError
        If the model has no prior: neither a VAE nor a codebook.
    """
    bottleneck = embedder.model.bottleneck if isinstance(embedder.model, ConvAutoencoder) else None
    rng = np.random.default_rng(seed)
    if isinstance(bottleneck, GaussianBottleneck):
        latents = np.zeros((n, EMBEDDING_DIM), np.float32)
        dim = EMBEDDING_DIM - bottleneck.padding
        latents[:, :dim] = rng.standard_normal((n, dim))
        return latents
    if isinstance(bottleneck, VqBottleneck):
        codes, _ = assign_codes(embedder, embeddings)
        drawn = np.stack([rng.choice(book, n) for book in codes])  # by their shares
        return _vectors(bottleneck, drawn)
    kind = embedder.model.config.bottleneck.kind if isinstance(embedder.model, ConvAutoencoder) else "pca"
    raise ModelError(
        f"a model with the bottleneck {kind} has nothing to draw from; train a vae or a vqvae (model: vae)"
    )


def _vectors(bottleneck: VqBottleneck, codes: np.ndarray) -> np.ndarray:
    """The latents (n, 128) of codes (n_books, n)."""
    quantizer = bottleneck.quantizer
    books = quantizer.books().float().cpu().flatten(0, 1)
    parts = torch.stack(
        [book[torch.from_numpy(drawn.astype(np.int64))] for book, drawn in zip(books, codes, strict=True)]
    )
    levels = parts.unflatten(0, (-1, quantizer.groups)).sum(dim=0)  # (groups, n, dim / groups)
    return levels.transpose(0, 1).flatten(1).numpy()
