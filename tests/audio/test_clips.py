"""Clips are inside the track, on the sample grid and evenly spaced, and move less than the track's start does."""

import numpy as np
import pytest

from audioae.audio.clips import RUN_S, longest_run, plan_clips
from audioae.audio.config import ClipConfig
from audioae.constants import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE


@pytest.mark.parametrize("duration_s", [0.5, 2.99, 3.0, 3.7, 5.0, 13.4999, 30.0, 30.0003, 180.0, 7200.0])
def test_clips_are_inside_the_track_in_order_on_the_sample_grid(duration_s: float):
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


def test_clips_of_a_long_track_have_equal_distances():
    starts = plan_clips(180.0, ClipConfig(max_clips=8))
    np.testing.assert_allclose(np.diff(starts), 22.5, atol=1e-4)
    np.testing.assert_allclose(starts[0], 180.0 - CLIP_S - starts[-1], atol=1e-4)


def test_a_shift_of_the_start_moves_every_clip_by_less_than_the_shift():
    """Compare the positions of clips in a track and in a copy that begins 1.2 s later."""
    config = ClipConfig(max_clips=8)
    whole, shifted = plan_clips(30.0, config), plan_clips(28.8, config) + 1.2
    assert np.abs(whole - shifted).max() < 1.2
    assert np.abs(whole - shifted).mean() == pytest.approx(0.6, abs=0.01)


def test_the_longest_run_of_clips_is_joined_and_cut_to_its_middle():
    times = np.arange(100 * SAMPLE_RATE, dtype=np.float32)
    starts_s = np.array([0.0, 10.0, 12.0, 15.0, *np.arange(40.0, 80.0, 2.0)])
    clips = np.stack([times[round(start * SAMPLE_RATE) :][:CLIP_SAMPLES] for start in starts_s])
    np.testing.assert_array_equal(longest_run(clips[:4], starts_s[:4]), times[10 * SAMPLE_RATE : 18 * SAMPLE_RATE])
    middle = (40 + 81) // 2 * SAMPLE_RATE + SAMPLE_RATE // 2 - round(RUN_S * SAMPLE_RATE) // 2
    np.testing.assert_array_equal(longest_run(clips, starts_s), times[middle : middle + round(RUN_S * SAMPLE_RATE)])
