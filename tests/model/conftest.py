"""Clips to train on, made from a few recurring patterns: there is something to learn and little to wait for."""

import numpy as np
import pytest

from audioae.model.config import ModelConfig
from audioae.model.data import ClipSet


def make_clips(n_tracks: int = 24, clips_per_track: int = 3, seed: int = 0) -> ClipSet:
    """Each track has its own spectrum and its own beat; its clips differ by noise and by where they start."""
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


@pytest.fixture(scope="session")
def tiny() -> ModelConfig:
    """The default variant, small enough for a step of some milliseconds."""
    return ModelConfig(channels=(2, 4, 4, 8))
