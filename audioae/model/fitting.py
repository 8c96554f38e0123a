"""What gradients do not learn: the statistics of mels and embeddings, initial codebooks, and the PCA baseline.

All of it is fitted to a fixed number of training clips, evenly spaced over them.
"""

import numpy as np
import torch

from audioae.model.autoencoder import ConvAutoencoder
from audioae.model.blocks import mel_db
from audioae.model.data import ClipSet, spread
from audioae.model.head_nets import FusedHead
from audioae.model.pca import PcaModel

FIT_CLIPS = 4096
START_CLIPS = 512
EXAMPLES = 6


def prepare(model: ConvAutoencoder, clips: ClipSet, rows: np.ndarray, seed: int) -> None:
    """Fit the statistics and descriptors of the mels, and initialize codebooks by k-means, before the first step."""
    fitted = torch.from_numpy(clips.codes[spread(rows, FIT_CLIPS // 4)])
    model.mel_norm.fit(fitted)
    if isinstance(model.head, FusedHead):
        model.head.fit(model.mel_norm, mel_db(fitted))
    mels = mel_db(torch.from_numpy(clips.codes[spread(rows, START_CLIPS)]))
    if len(mels) > 1:
        with torch.no_grad():
            model.train().encode(model.mel_norm(mels), torch.Generator().manual_seed(seed))


@torch.no_grad()
def fit_embedding(model: ConvAutoencoder | PcaModel, clips: ClipSet, rows: np.ndarray) -> None:
    """Fit the center and the scale of the embeddings to training clips, after the last step."""
    rows = spread(rows, FIT_CLIPS)
    raw = [model.embed(torch.from_numpy(clips.codes[rows[i : i + 64]])) for i in range(0, len(rows), 64)]
    model.embedding_norm.fit(torch.cat(raw))


@torch.no_grad()
def examples(model: ConvAutoencoder | PcaModel, clips: ClipSet, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A few of the clips and their reconstructions, both dB, (k, 128, 130)."""
    mels = torch.from_numpy(clips.codes[spread(rows, EXAMPLES)])
    return mel_db(mels).numpy(), model.reconstruct(mels).numpy()


def fit_pca(clips: ClipSet, rows: np.ndarray, seed: int) -> PcaModel:
    """Fit the PCA baseline, which needs no steps."""
    model = PcaModel().eval()
    model.mel_norm.fit(torch.from_numpy(clips.codes[spread(rows, FIT_CLIPS // 4)]))
    model.fit(clips.codes, spread(rows, FIT_CLIPS), seed)
    fit_embedding(model, clips, rows)
    return model


@torch.no_grad()
def pca_error(model: PcaModel, clips: ClipSet, rows: np.ndarray) -> float:
    """Mean reconstruction error of the PCA baseline, per bin."""
    _, error = model.embed_and_score(torch.from_numpy(clips.codes[spread(rows, FIT_CLIPS // 4)]))
    return float(error.mean())
