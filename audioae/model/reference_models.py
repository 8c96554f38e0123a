"""Reference models that a trained model is compared with, and the usage of its codes.

Conventions
-----------
- Mels are uint8 codes (n, 128, 130). Results are numpy arrays, with clips in the same order.
- Fits use at most `FIT_CLIPS` clips, evenly spaced, as in training.
- Apart from the results, memory use does not grow with the number of clips.
"""

import numpy as np
import torch
from torch import Tensor

from audioae.constants import N_FRAMES, N_MELS
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.blocks import MelNorm, mel_db
from audioae.model.bottleneck_nets import VqBottleneck
from audioae.model.config import ModelConfig
from audioae.model.data import spread
from audioae.model.embedder import Embedder
from audioae.model.pca import PcaModel
from audioae.model.threads import cpu_threads

FIT_CLIPS = 4096
BLOCK = 64
CODES_BLOCK = 1024
DEPTHS = (2, 4)


def fit_pca(codes: np.ndarray, rows: np.ndarray, like: Embedder | None = None) -> Embedder:
    """Fit the first 128 principal components of `codes[rows]`, and wrap them in an embedder.

    Parameters
    ----------
    codes : np.ndarray, shape (n, 128, 130), uint8
    rows : np.ndarray, int64
    like : Embedder, optional
        Its model gives the normalized units of the reconstruction errors.
    """
    model = PcaModel().eval()
    if like is None:
        model.mel_norm = _mel_norm(codes, rows)
    else:
        model.mel_norm.load_state_dict(like.model.mel_norm.state_dict())
    with cpu_threads():
        model.fit(codes, spread(rows, FIT_CLIPS))
    return Embedder(model, "cpu")


class UntrainedEncoder:
    """The default encoder with random initial weights, on mels normalized over `codes`.

    Parameters
    ----------
    codes : np.ndarray, shape (n, 128, 130), uint8
    """

    def __init__(self, codes: np.ndarray):
        model = build_model(ModelConfig(), seed=0)
        assert isinstance(model, ConvAutoencoder)
        self.encoder = model.encoder.eval()
        self.mel_norm = _mel_norm(codes, np.arange(len(codes)))

    @torch.inference_mode()
    @cpu_threads()
    def describe(self, codes: np.ndarray) -> np.ndarray:
        """Compute deviation and mean over time of the maps at `DEPTHS`, shape (n, 4096), float32."""
        parts = []
        for start in range(0, len(codes), BLOCK):
            mels = mel_db(torch.tensor(codes[start : start + BLOCK]))
            maps = self.encoder(self.mel_norm(mels))
            deviation_mean = [torch.std_mean(maps[depth], dim=3, correction=0) for depth in DEPTHS]
            parts.append(torch.cat([part.flatten(1) for pair in deviation_mean for part in pair], dim=1).numpy())
        return np.concatenate(parts)


@torch.inference_mode()
@cpu_threads()
def deviations(codes: np.ndarray, like: Embedder) -> np.ndarray:
    """Compute each clip's mean squared deviation per bin from the mel bands' means over all clips, (n,) float64.

    The units are the normalized units of the model of `like`, as in its reconstruction errors.
    """
    mel_norm = MelNorm()
    mel_norm.load_state_dict(like.model.mel_norm.state_dict())

    def normalized(start: int) -> Tensor:
        return mel_norm(mel_db(torch.tensor(codes[start : start + BLOCK]))).double()

    starts = range(0, len(codes), BLOCK)
    total = torch.zeros(N_MELS, 1, dtype=torch.float64)
    for start in starts:
        total += normalized(start).sum(dim=(0, 2)).unsqueeze(1)
    mean = total / (len(codes) * N_FRAMES)
    return torch.cat([(normalized(start) - mean).square().mean(dim=(1, 2)) for start in starts]).numpy()


@torch.inference_mode()
def code_counts(embeddings: np.ndarray, embedder: Embedder) -> np.ndarray | None:
    """Count how often clips choose each code, shape (levels, codebooks, codebook_size), int64.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, 128), float32
        Clip embeddings from `embedder`. They are unquantized, so the nearest codes follow from them.
    embedder : Embedder

    Returns
    -------
    counts : np.ndarray or None
        There is one codebook per group, or a single one if the groups share it. None if the model has no codes.
    """
    model = embedder.model
    if not isinstance(model, ConvAutoencoder) or not isinstance(model.bottleneck, VqBottleneck):
        return None
    quantizer = model.bottleneck.quantizer
    levels, books, size, _ = quantizer.codebooks.shape
    counts = np.zeros((levels, books, size), np.int64)
    for start in range(0, len(embeddings), CODES_BLOCK):
        block = torch.tensor(embeddings[start : start + CODES_BLOCK], device=embedder.device)
        codes = quantizer(model.embedding_norm.invert(block)).codes.cpu().numpy()
        for level, book in np.ndindex(levels, books):
            counts[level, book] += np.bincount(codes[level].reshape(books, -1)[book], minlength=size)
    return counts


def _mel_norm(codes: np.ndarray, rows: np.ndarray) -> MelNorm:
    mel_norm = MelNorm()
    mel_norm.fit(torch.from_numpy(codes[spread(rows, FIT_CLIPS // 4)]))
    return mel_norm
