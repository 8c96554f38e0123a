"""Training clips made from a few recurring patterns: there is something to learn, and it is learned fast."""

import numpy as np
import pytest
import torch

from audioae.model.blocks import mel_db
from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet


def make_clips(n_tracks: int = 24, clips_per_track: int = 3, seed: int = 0) -> ClipSet:
    """Make tracks with different spectra and beats; the clips of a track differ in noise and in starting point."""
    rng = np.random.default_rng(seed)
    n = n_tracks * clips_per_track
    track = np.repeat(np.arange(n_tracks), clips_per_track)
    spectrum = rng.normal(-35, 12, (n_tracks, 8)).repeat(16, axis=1)[track][:, :, None]
    period = rng.integers(8, 30, n_tracks)[track][:, None, None]
    phase = rng.integers(0, 30, n)[:, None, None]
    beat = 12 * np.cos(2 * np.pi * (np.arange(130) + phase) / period)
    db = spectrum + beat + rng.normal(0, 4, (n, 128, 130))
    db = np.clip(db - db.max(axis=(1, 2), keepdims=True), -80, 0)
    codes = np.round((db + 80) * 255 / 80).astype(np.uint8)
    return ClipSet(codes, np.full(n, -12, np.float32), track.astype(np.int64))


@pytest.fixture(scope="session")
def clips() -> ClipSet:
    return make_clips()


@pytest.fixture
def db(clips: ClipSet) -> torch.Tensor:
    """Twelve mels in dB."""
    return mel_db(torch.from_numpy(clips.codes[:12]))


@pytest.fixture(scope="session")
def tiny() -> ModelConfig:
    """The default variant, small enough that a step takes a few milliseconds."""
    return ModelConfig(channels=(2, 4, 4, 8))
