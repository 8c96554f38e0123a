"""Steps and bends of fine frames are those of the waveform, across the pieces in which they are computed."""

import numpy as np
import pytest

from audioae.audio.fine_frames import fine_frames, frame_size


@pytest.mark.parametrize("n", [64, 65_535, 65_536 + 64, 150_001])
def test_frames_have_the_mean_square_of_steps_and_the_largest_bend(n: int):
    run = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    whole = n // 64 * 64
    steps = np.diff(run[:whole], prepend=run[:1])
    bends = np.abs(np.diff(steps, prepend=steps[:1]))
    frames = fine_frames(run, 44_100)
    assert frames.size == 64
    assert frames.power == pytest.approx(np.square(steps).reshape(-1, 64).mean(axis=1), rel=1e-5)
    assert np.array_equal(frames.peak, bends.reshape(-1, 64).max(axis=1))


def test_a_ramp_has_steps_and_no_bends():
    frames = fine_frames(np.arange(256, dtype=np.float32), 44_100)
    assert frames.power.tolist() == pytest.approx([63 / 64, 1, 1, 1])
    assert frames.peak.tolist() == [1, 0, 0, 0]


def test_less_than_a_frame_gives_none():
    assert len(fine_frames(np.ones(63, np.float32), 44_100).power) == 0
    assert frame_size(1_000) == 2
