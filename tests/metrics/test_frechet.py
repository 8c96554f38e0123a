"""Fréchet distances that are known."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from audioae.errors import EvaluationError
from audioae.metrics.frechet import frechet_distance

RNG = np.random.default_rng(0)
ONE, OTHER = RNG.standard_normal((300, 6)), RNG.standard_normal((200, 6)) @ RNG.standard_normal((6, 6)) + 1


def test_equals_the_formula_with_a_matrix_root():
    first, second = np.cov(ONE, rowvar=False), np.cov(OTHER, rowvar=False)
    gap = ONE.mean(axis=0) - OTHER.mean(axis=0)
    expected = gap @ gap + np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert frechet_distance(ONE, OTHER) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(OTHER, ONE) == pytest.approx(expected, rel=1e-9)


def test_is_zero_for_one_set_and_knows_spreads():
    assert frechet_distance(ONE, ONE) == pytest.approx(0, abs=1e-9)
    line = np.array([[0.0], [2.0]])  # deviations 1.414 and 4.243
    assert frechet_distance(line, 3 * line - 2) == pytest.approx((np.sqrt(2) - np.sqrt(18)) ** 2)


def test_covariances_without_full_rank_are_fine():
    few = RNG.standard_normal((4, 6))
    assert 0 < frechet_distance(few, ONE) < 100


@pytest.mark.parametrize("wrong", [ONE[:1], ONE[:, :2], ONE[0], np.full_like(ONE, np.nan)])
def test_refuses_bad_input(wrong: np.ndarray):
    with pytest.raises(EvaluationError, match="Fréchet distance"):
        frechet_distance(ONE, wrong)
