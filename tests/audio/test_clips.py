"""Clips are inside the track, on the sample grid, evenly spread, and move less than the track's start does."""

import numpy as np
import pytest
from pydantic import ValidationError

from audioae.audio.clips import plan_clips
from audioae.audio.config import ClipConfig
from audioae.constants import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE


@pytest.mark.parametrize("duration_s", [0.5, 2.99, 3.0, 3.7, 5.0, 13.4999, 30.0, 30.0003, 180.0, 7200.0])
def test_clips_lie_inside_the_track_in_order_on_the_sample_grid(duration_s: float):
    starts = plan_clips(duration_s, ClipConfig())
    samples = starts * SAMPLE_RATE
    np.testing.assert_allclose(samples, np.round(samples), atol=1e-6)
    assert starts.min() >= 0
    assert (np.diff(starts) > 0).all()
    if duration_s >= CLIP_S:
        assert round(samples.max()) + CLIP_SAMPLES <= duration_s * SAMPLE_RATE + 1e-6
    else:
        np.testing.assert_array_equal(starts, [0.0])


@pytest.mark.parametrize(
    ("duration_s", "config", "n_clips"),
    [
        (3.0, ClipConfig(), 1),
        (4.4, ClipConfig(), 1),
        (4.5, ClipConfig(), 2),
        (5.0, ClipConfig(), 2),
        (13.5, ClipConfig(), 8),
        (600.0, ClipConfig(), 24),
        (600.0, ClipConfig(max_clips=1), 1),
        (30.0, ClipConfig(max_clips=100, hop_s=3), 10),
    ],
)
def test_number_of_clips(duration_s: float, config: ClipConfig, n_clips: int):
    assert len(plan_clips(duration_s, config)) == n_clips


def test_short_tracks_are_covered_from_end_to_end():
    for duration_s in np.arange(3.0, 24.0, 0.37):
        starts = plan_clips(duration_s, ClipConfig())
        edges = [0.0, *(starts + CLIP_S)]
        gaps = np.append(starts, duration_s) - edges
        if len(starts) > 1:
            assert gaps.max() < 1e-3, duration_s


def test_long_tracks_leave_intro_and_end_as_far_as_the_clips_are_apart():
    starts = plan_clips(180.0, ClipConfig(max_clips=8))
    np.testing.assert_allclose(np.diff(starts), 22.5, atol=1e-4)
    np.testing.assert_allclose(starts[0], 180.0 - CLIP_S - starts[-1], atol=1e-4)


def test_a_shift_of_the_start_moves_every_clip_by_less_than_the_shift():
    """Times of the same sound in the whole track and in one that begins 1.2 s later."""
    config = ClipConfig(max_clips=8)
    whole, shifted = plan_clips(30.0, config), plan_clips(28.8, config) + 1.2
    assert np.abs(whole - shifted).max() < 1.2
    assert np.abs(whole - shifted).mean() == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("settings", [{"max_clips": 0}, {"hop_s": 0}, {"hop_s": -1}, {"n": 3}])
def test_bad_settings_are_refused(settings: dict):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        ClipConfig(**settings)
