"""Patterns separate the same recording from another one; candidate pairs and groups."""

import numpy as np
import pytest

from audioae.audio.fingerprint import (
    MAX_SECONDS,
    SAME,
    candidate_pairs,
    connected_groups,
    fingerprint_clips,
    is_same,
    similarity,
)
from audioae.constants import FRAME_S


def music(seed: int, n_clips: int = 8) -> np.ndarray:
    """Mels of clips that overlap by half, (n_clips, 128, 130): notes that come and go."""
    rng = np.random.default_rng(seed)
    whole = np.full((128, 65 * (n_clips + 1) + 60), 30.0)
    for _ in range(25 * n_clips):
        band, start, length = rng.integers(4, 124), rng.integers(0, whole.shape[1] - 20), rng.integers(5, 20)
        whole[band - 3 : band + 4, start : start + length] += rng.uniform(20, 90)
    return np.stack([whole[:, 30 + 65 * i : 160 + 65 * i] for i in range(n_clips)]).clip(0, 255).astype(np.uint8)


STARTS = np.arange(8) * 65 * FRAME_S


def test_a_copy_with_noise_gain_and_equalization_is_the_same_recording():
    codes = music(1)
    changed = codes * 0.9 + 10 + np.linspace(-15, 15, 128)[:, None] + np.random.default_rng(0).normal(0, 3, codes.shape)
    one, other = fingerprint_clips(codes, STARTS), fingerprint_clips(changed.clip(0, 255).astype(np.uint8), STARTS)
    assert similarity(one, one) == pytest.approx(1, abs=1e-6)
    assert similarity(one, other) > 0.9
    assert is_same(one, other)


def test_different_music_is_never_the_same_recording():
    prints = [fingerprint_clips(music(seed), STARTS) for seed in range(12)]
    values = [similarity(a, b) for i, a in enumerate(prints) for b in prints[i + 1 :]]
    assert max(values) < SAME / 2


@pytest.mark.parametrize("frames", [-9, 4, 11])
def test_a_start_moved_by_a_quarter_of_a_second_does_not_matter(frames: int):
    """A trimmed fade-in or an encoder's delay moves all clips by some frames."""
    rng = np.random.default_rng(3)
    whole = np.kron(rng.integers(0, 255, (32, 60)), np.ones((4, 4))).astype(np.uint8)
    early, late = whole[None, :, 40:170], whole[None, :, 40 + frames : 170 + frames]
    assert abs(frames * FRAME_S) < MAX_SECONDS + FRAME_S
    assert similarity(fingerprint_clips(early, np.zeros(1)), fingerprint_clips(late, np.zeros(1))) > 0.99


def test_clips_are_aligned_by_their_starts():
    rng = np.random.default_rng(4)
    whole = np.kron(rng.integers(0, 255, (32, 60)), np.ones((4, 4))).astype(np.uint8)
    one = fingerprint_clips(whole[None, :, :130], np.zeros(1))
    other = fingerprint_clips(whole[None, :, 40:170], np.array([40 * FRAME_S]))
    assert similarity(one, other) > 0.99
    assert similarity(one, other._replace(starts_s=np.zeros(1))) < 0.3


def test_short_tracks_need_a_higher_similarity():
    codes = music(5)
    noisy = (codes + np.random.default_rng(0).normal(0, 12, codes.shape)).clip(0, 255).astype(np.uint8)
    long = [fingerprint_clips(c, STARTS) for c in (codes, noisy)]
    short = [fingerprint_clips(c[:1], STARTS[:1]) for c in (codes, noisy)]
    assert SAME < similarity(*short) < 0.85
    assert is_same(*long)
    assert not is_same(*short)


def test_silence_is_not_a_duplicate_of_silence():
    flat = fingerprint_clips(np.zeros((3, 128, 130), np.uint8), np.arange(3))
    assert similarity(flat, flat) == 0
    assert not is_same(flat, flat)


def test_candidate_pairs_are_close_of_equal_duration_and_unique():
    scores = np.array([[0.99, 0.95, 0.5], [0.99, 0.91, 0.4], [0.95, 0.91, 0.3], [0.99, 0.5, -np.inf]])
    rows = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, -1]])
    assert candidate_pairs(scores, rows, np.array([200.0, 200.2, 200.3, 200.0])).tolist() == [[0, 1], [0, 3], [1, 2]]
    assert candidate_pairs(scores, rows, np.array([200.0, np.nan, 230.0, np.nan])).shape == (0, 2)


def test_groups_are_named_by_their_first_row():
    assert connected_groups(6, [(2, 5), (1, 2)]).tolist() == [0, 1, 1, 3, 4, 1]
    assert connected_groups(3, []).tolist() == [0, 1, 2]
    assert connected_groups(0, []).tolist() == []
