"""The tempo of a click track is found in its mels, in one clip and in clips laid over each other."""

import numpy as np
import pytest

from audioae.constants import HOP_LENGTH, N_FRAMES, N_MELS, SAMPLE_RATE
from tests.bench.tempograms import RANGES, TEMPOS, estimate, join, onset_strength, posterior, scores

FRAMES_PER_S = SAMPLE_RATE / HOP_LENGTH


def clicks(tempo: float, start_s: float = 0.0) -> np.ndarray:
    """Codes (1, 128, 130) of clicks that rise by 40 dB and fade in 0.1 s, from `start_s` on."""
    beat = (np.arange(N_FRAMES) / FRAMES_PER_S + start_s) % (60 / tempo)
    level = 40 * np.exp(-beat / 0.1)
    return np.broadcast_to(level * (255 / 80), (1, N_MELS, N_FRAMES)).astype(np.uint8)


@pytest.mark.parametrize("tempo", [75, 96, 118, 140, 160])
def test_tempo_of_clicks(tempo):
    assert estimate(scores(onset_strength(clicks(tempo))[0])) == pytest.approx(tempo, rel=0.04)


@pytest.mark.parametrize("tempo", [75, 118, 160])
def test_clips_laid_over_each_other_keep_the_tempo(tempo):
    starts = np.arange(8) * 1.5 + 0.4
    onsets = np.concatenate([onset_strength(clicks(tempo, start)) for start in starts])
    track = join(onsets, starts)
    assert track.shape == (8, 129 + round(7 * 1.5 * FRAMES_PER_S))
    assert estimate(scores(track)) == pytest.approx(tempo, rel=0.04)


def test_onset_strength_is_the_capped_rise():
    codes = np.zeros((1, N_MELS, N_FRAMES), np.uint8)
    codes[0, :16, 10:20] = 16  # 5 dB
    codes[0, 16:32, 30] = 255
    strength = onset_strength(codes)
    assert strength[0, 0, 9] == pytest.approx(16 * 80 / 255)
    assert strength[0, 1, 29] == 15
    assert strength.sum() == pytest.approx(16 * 80 / 255 + 15)


@pytest.mark.parametrize("tempo", [75, 118, 160])
def test_the_posterior_of_clicks_is_highest_at_their_tempo(tempo):
    share = posterior(scores(onset_strength(clicks(tempo))[0]))
    lowest, highest = TEMPOS.reshape(RANGES, -1)[np.argmax(share)][[0, -1]]
    assert lowest * 0.97 < tempo < highest * 1.03
    assert share.sum() == pytest.approx(1)


def test_without_a_beat_the_posterior_is_the_prior():
    share = posterior(np.zeros(len(TEMPOS)))
    assert TEMPOS.reshape(RANGES, -1)[np.argmax(share), 0] < 118 < TEMPOS.reshape(RANGES, -1)[np.argmax(share), -1]
    assert share.max() < 0.16
