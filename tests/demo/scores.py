"""Scores to render in tests."""

import numpy as np

from audioae.demo.compose import Score, compose, make_sound
from audioae.demo.styles import Style

RATE = 44_100


def make_score(style: Style, track: int = 0, seconds: float = 8.0) -> Score:
    """Compose track number `track` of one artist."""
    sound = make_sound(style, np.random.default_rng(5))
    return compose(style, sound, seconds, np.random.default_rng([5, track]))
