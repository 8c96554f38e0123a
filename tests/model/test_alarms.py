"""Alarms: losses that are not finite, collapsed codebooks, and patience."""

import math

import pytest

from audioae.errors import ModelError
from audioae.model.alarms import Patience, check_codebook, check_finite


def test_a_loss_that_is_not_finite_is_named():
    check_finite({"mse": 0.5, "kl": 1e30}, 7)
    with pytest.raises(ModelError, match=r"step 7: kl = nan, mse = inf, wanted finite numbers; lower train\.learning"):
        check_finite({"kl": math.nan, "mse": math.inf, "l1": 0.5}, 7)


def test_a_collapsed_codebook_raises_after_the_grace_period():
    check_codebook(1.0, 256, step=10, grace=20)
    check_codebook(200.0, 256, step=100, grace=20)
    with pytest.raises(
        ModelError, match=r"step 20: codebook collapse, perplexity 1\.4 of 8 codes, wanted at least 1\."
    ):
        check_codebook(1.4, 8, step=20, grace=20)


def test_patience_counts_validations_without_improvement():
    patience = Patience(2)
    assert [patience.update(loss, step) for step, loss in enumerate([3.0, 2.0, 2.5, 1.0, 1.0])] == [
        True, True, False, True, False,
    ]  # fmt: skip
    assert not patience.exhausted
    restored = Patience(2, **patience.state())
    restored.update(9.0, 6)
    assert restored.exhausted
    assert (restored.best, restored.best_step) == (1.0, 3)
