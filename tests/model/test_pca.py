"""The PCA baseline against an exact decomposition."""

import numpy as np
import torch

from audioae.model.blocks import mel_db
from audioae.model.data import ClipSet
from audioae.model.pca import PcaModel


def test_pca_agrees_with_svd(clips: ClipSet):
    model = PcaModel()
    model.mel_norm.fit(torch.from_numpy(clips.codes))
    rows = np.arange(len(clips.codes))
    model.fit(clips.codes, rows)
    centered = model.mel_norm(mel_db(torch.from_numpy(clips.codes))).flatten(1)
    centered = centered - centered.mean(dim=0)
    singular, directions = torch.linalg.svd(centered, full_matrices=False)[1:]
    assert (model.components[:8] @ directions[:8].T).diagonal().abs().min() > 0.999
    torch.testing.assert_close(
        (centered @ model.components[:16].T).square().sum(dim=0), singular[:16].square(), rtol=1e-3, atol=1e-2
    )
    with torch.no_grad():
        _, error = model.embed_and_score(torch.from_numpy(clips.codes))
    assert error.max() < 1e-3  # 128 components span 72 clips
