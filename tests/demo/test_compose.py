"""Scores: within the ranges of their style, in time, and with the truth about them."""

import numpy as np

from audioae.demo.styles import load_styles
from tests.demo.scores import make_score

STYLES = load_styles()


def test_the_truth_of_a_score_is_within_the_ranges_of_its_style():
    for style in STYLES:
        score = make_score(style)
        assert style.tempo[0] <= score.tempo <= style.tempo[1]
        assert style.energy[0] <= score.energy <= style.energy[1]
        assert score.key.mode in style.modes
        assert 0 <= score.instrumentalness <= 1
        assert ("voice" in score.instruments) == (score.instrumentalness < 1)


def test_beats_follow_the_tempo():
    score = make_score(STYLES[0])
    straight = [score.seconds(beat) for beat in (0.0, 4.0, 8.0)]
    np.testing.assert_allclose(np.diff(straight), 4 * 60 / score.tempo)
