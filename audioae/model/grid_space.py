"""What the codes of a model's grid (`grid.py`) draw: clips rebuilt from embedding and codes, and one code alone.

Conventions
-----------
- Mels are uint8 codes of `audio.mel`, (n, 128, 130). Grid codes are uint16, (n, books, rows, columns); row 0 is the
  lowest. As in `latent_space`, a book is number `level * groups + group`.
- An embedding and its clip's grid codes are all that `Embedder.reconstruct` draws from: 4,608 bits by default, if the
  latent is stored as its 128 bits of codes and not as 128 floats.
- One code is drawn in every place of the grid, beside the mean of every other book, for the mean embedding. What
  differs from the mel of all means is what this code adds.
"""

import numpy as np
import torch
from torch import Tensor

from audioae.constants import FLOOR_DB
from audioae.errors import ModelError
from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.blocks import mel_db
from audioae.model.bottleneck_nets import VqBottleneck
from audioae.model.embedder import Embedder
from audioae.model.grid_nets import CodeGrid
from audioae.model.latent_space import quantized_mels
from audioae.model.threads import cpu_threads

BLOCK = 32  # clips at a time


@torch.inference_mode()
@cpu_threads()
def assign_grid_codes(embedder: Embedder, mels: np.ndarray) -> np.ndarray:
    """The grid codes of mels (n, 128, 130), uint8. Raises `ModelError` if the model has no grid."""
    model, grid = _with_grid(embedder)
    found = []
    for block in torch.from_numpy(mels).split(BLOCK):
        normalized = model.mel_norm(mel_db(block.to(embedder.device)))
        rest = normalized - model.decoder(model.encode(normalized).z)
        codes = grid.quantize(rest).codes.flatten(0, 1)
        found.append(codes.view(len(codes), len(block), *grid.shape).transpose(0, 1).cpu())
    return torch.cat(found).numpy().astype(np.uint16)


@torch.inference_mode()
@cpu_threads()
def decode_grid(embedder: Embedder, embeddings: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Rebuild mels from embeddings (n, 128), float32, and grid codes; with those of a clip, its reconstruction.

    With the embedding of one clip and the codes of another, the events of the one get the sound of the other. Raises
    `ModelError` if the model has no grid.
    """
    _, grid = _with_grid(embedder)
    books = grid.quantizer.books().flatten(0, 1)
    mels = []
    for start in range(0, len(codes), BLOCK):
        block = torch.from_numpy(codes[start : start + BLOCK].astype(np.int64)).to(embedder.device)
        parts = torch.stack([book[chosen] for book, chosen in zip(books, block.unbind(1), strict=True)])
        mels.append(_mels(embedder, embeddings[start : start + BLOCK], parts.flatten(1, 3)))
    return np.concatenate(mels)


@torch.inference_mode()
@cpu_threads()
def decode_grid_code(embedder: Embedder, book: int, code: int) -> np.ndarray:
    """The mel with one code, and the mel of the means (see the module), (2, 128, 130), uint8.

    Raises
    ------
    ModelError
        If the model has no grid, or no such code.
    """
    _, grid = _with_grid(embedder)
    shares, rows_columns = grid_usage(embedder), grid.shape
    if not (0 <= book < shares.shape[0] and 0 <= code < shares.shape[1]):
        raise ModelError(f"got book {book}, code {code}, but the grid has {shares.shape[0]} books of {shares.shape[1]}")
    vectors = grid.quantizer.books().flatten(0, 1)
    means = torch.einsum("bc,bcd->bd", torch.from_numpy(shares).to(vectors), vectors)
    parts = torch.stack([means, means], dim=1)
    parts[book, 0] = vectors[book, code]
    everywhere = parts.repeat_interleave(rows_columns[0] * rows_columns[1], dim=1)
    return _mels(embedder, np.zeros((2, embedder.model.embedding_norm.mean.numel()), np.float32), everywhere)


def grid_usage(embedder: Embedder) -> np.ndarray:
    """The share of each code at the end of the training, (n_books, codebook_size), float32; a book's sum is 1."""
    usage = _with_grid(embedder)[1].quantizer.usage.flatten(0, 1)
    return (usage / usage.sum(dim=1, keepdim=True)).cpu().numpy()


def _mels(embedder: Embedder, embeddings: np.ndarray, parts: Tensor) -> np.ndarray:
    """Mels of embeddings (n, 128) and of code vectors (books, n * rows * columns, dim / groups)."""
    model, grid = _with_grid(embedder)
    z = model.embedding_norm.invert(torch.from_numpy(embeddings).to(embedder.device))
    if isinstance(model.bottleneck, VqBottleneck):
        z = model.bottleneck.quantizer(z).z
    levels = parts.unflatten(0, (-1, grid.quantizer.groups)).sum(dim=0)
    normalized = model.decoder(z) + grid.decode(levels.transpose(0, 1).flatten(1), z)
    return quantized_mels(model.mel_norm.invert(normalized).clamp(FLOOR_DB, 0.0))


def _with_grid(embedder: Embedder) -> tuple[ConvAutoencoder, CodeGrid]:
    model = embedder.model
    if not isinstance(model, ConvAutoencoder) or model.grid is None:
        raise ModelError("the model has no grid of codes; train one that has (model: vqvae_grid)")
    return model, model.grid
