"""The mix: the same seed gives the same waveform, levels are safe, and it is music rather than beeps."""

import numpy as np
import pytest

from audioae.demo.render import render
from audioae.demo.styles import load_styles
from tests.demo.scores import RATE, make_score

STYLES = load_styles()


@pytest.fixture(scope="module")
def mixes() -> dict[str, np.ndarray]:
    return {style.label: render(make_score(style), RATE, np.random.default_rng(1)) for style in STYLES}


def test_the_same_seed_gives_the_same_waveform_and_another_track_another():
    style = STYLES[3]
    first, again = (render(make_score(style, seconds=4.0), RATE, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = render(make_score(style, track=1, seconds=4.0), RATE, np.random.default_rng(1))
    assert np.abs(np.corrcoef(first[0], other[0])[0, 1]) < 0.5


def test_mixes_stay_below_full_scale_and_are_never_silent(mixes: dict[str, np.ndarray]):
    for label, mix in mixes.items():
        assert mix.shape == (2, 8 * RATE), label
        assert mix.dtype == np.float32, label
        assert np.isfinite(mix).all(), label
        assert np.abs(mix).max() < 0.99, label
        blocks = mix[:, : 7 * RATE].reshape(2, 7, RATE)
        assert 10 * np.log10(np.mean(blocks**2, axis=(0, 2)).min()) > -50, f"{label}: a second of silence"


def test_mixes_have_many_partials_change_over_time_and_are_stereo(mixes: dict[str, np.ndarray]):
    for label, mix in mixes.items():
        frames = mix[0, : 60 * 4096].reshape(60, 4096) * np.hanning(4096)
        power = np.abs(np.fft.rfft(frames)) ** 2 + 1e-12
        peaks = (power[:, 1:-1] > power[:, :-2]) & (power[:, 1:-1] > power[:, 2:])
        loud = 10 * np.log10(power[:, 1:-1] / power.max(axis=1, keepdims=True)) > -45
        assert np.median((peaks & loud).sum(axis=1)) > 8, f"{label}: too few partials"
        change = np.corrcoef(np.log(power))
        assert np.median(change) < 0.98, f"{label}: all frames are alike"
        assert not np.allclose(mix[0], mix[1]), f"{label}: no stereo"


def test_the_level_does_not_predict_the_style():
    levels = {
        style.label: [
            10 * np.log10(np.mean(render(make_score(style, seconds=4.0), 22_050, np.random.default_rng(i)) ** 2))
            for i in range(3)
        ]
        for style in STYLES[:6]
    }
    between = np.std([np.mean(values) for values in levels.values()])
    within = np.mean([np.std(values) for values in levels.values()])
    assert between < 2 * within + 1.5
