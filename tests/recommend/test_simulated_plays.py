"""Simulated plays: reproducible, with tastes, noise, popularity and moods."""

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.recommend.simulated_plays import simulate_plays

STYLES = np.repeat([f"style{i}" for i in range(10)], 30)
ARTISTS = np.array([f"artist{i // 6}" for i in range(300)])
TEMPO = np.random.default_rng(0).normal(120, 30, 300)


def simulate(**more):
    return simulate_plays(STYLES, ARTISTS, [TEMPO], n_listeners=80, n_plays=100, **more)


def test_seed_determines_the_log():
    one, same, other = simulate(seed=1), simulate(seed=1), simulate(seed=2)
    assert np.array_equal(one.track, same.track)
    assert not np.array_equal(one.track[:500], other.track[:500])
    assert set(one.listener) == set(range(80))
    assert 70 < len(one.track) / 80 < 130
    assert 0 <= one.age_days.min() <= one.age_days.max() <= 365


def test_listeners_have_tastes_unless_all_is_noise():
    def concentration(log) -> float:
        code = np.unique(STYLES, return_inverse=True)[1]
        counts = np.stack([np.bincount(code[log.track[log.listener == i]], minlength=10) for i in range(80)])
        return float((counts.max(axis=1) / counts.sum(axis=1)).mean())

    assert concentration(simulate(noise=0.0)) > 0.45
    assert concentration(simulate(noise=1.0)) < 0.35


def test_popular_tracks_have_more_plays():
    log = simulate()
    plays = np.bincount(log.track, minlength=300)
    assert np.corrcoef(np.argsort(np.argsort(plays)), np.argsort(np.argsort(log.popularity)))[0, 1] > 0.5


def test_moods_cross_styles_and_need_numbers():
    """Without noise only moods go beyond one style."""

    def styles_of(numbers):
        log = simulate_plays(STYLES, ARTISTS, numbers, n_listeners=60, n_plays=200, noise=0.0)
        return max(len(set(STYLES[log.track[log.listener == i]])) for i in range(60))

    assert styles_of([]) <= 3
    assert styles_of([TEMPO]) > 5


def test_unknown_numbers_count_as_the_mean():
    tempo = TEMPO.copy()
    tempo[:50] = np.nan
    assert len(simulate_plays(STYLES, ARTISTS, [tempo], n_listeners=5).track) > 0


@pytest.mark.parametrize(
    ("styles", "more", "message"),
    [
        (np.array(["a"]), {}, "got 1 tracks of 1 styles"),
        (np.array(["a", "a", "a"]), {}, "got 3 tracks of 1 styles, wanted at least 2"),
        (STYLES, {"n_listeners": 0}, "n_listeners=0"),
        (STYLES, {"noise": 1.5}, "noise=1.5"),
    ],
)
def test_refuses_bad_settings(styles, more, message):
    with pytest.raises(EvaluationError, match=message):
        simulate_plays(styles, ARTISTS[: len(styles)], [], **more)
