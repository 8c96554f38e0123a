"""Encoder and input normalization."""

import torch

from audioae.model.blocks import Encoder, MelNorm, mel_db
from audioae.model.data import ClipSet


def test_each_stage_halves_the_map_down_to_8_by_9():
    maps = Encoder((16, 32, 64, 128))(torch.zeros(2, 128, 130))
    assert [tuple(m.shape[1:]) for m in maps] == [(1, 128, 144), (16, 64, 72), (32, 32, 36), (64, 16, 18), (128, 8, 9)]


def test_mels_are_standardized_per_band(clips: ClipSet):
    norm = MelNorm()
    mels = torch.from_numpy(clips.codes)
    norm.fit(mels)
    normalized = norm(mel_db(mels))
    assert normalized.mean(dim=(0, 2)).abs().max() < 1e-3
    torch.testing.assert_close(normalized.std(dim=(0, 2)), torch.ones(128), atol=1e-2, rtol=0)
    torch.testing.assert_close(norm.invert(normalized), mel_db(mels), atol=1e-3, rtol=0)
