"""Drums: every one is struck, and fades away."""

import numpy as np
import pytest

from audioae.demo.drums import DRUMS, Kit
from tests.demo.scores import RATE


@pytest.mark.parametrize("name", sorted(DRUMS))
def test_a_drum_is_loudest_at_its_start_and_fades_away(name: str):
    wave = DRUMS[name](Kit(1.0, 1.0, 1.0, RATE, np.random.default_rng(0)))
    quarter = len(wave) // 4
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() > 0.05
    assert np.mean(wave[:quarter] ** 2) > 5 * np.mean(wave[-quarter:] ** 2)
