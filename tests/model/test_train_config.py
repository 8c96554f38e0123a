"""The settings of training: the number of steps, and the learning rate at each of them."""

import pytest

from audioae.config import parse_config
from audioae.errors import ConfigError
from audioae.model.train_config import FEWEST_STEPS, MOST_STEPS, PASSES, TrainConfig, learning_rate, n_steps


@pytest.mark.parametrize("n_clips", [1, 500, 3_300, 9_000, 200_000])
def test_automatic_steps_are_passes_over_the_clips_within_bounds(n_clips: int):
    steps = n_steps(TrainConfig(steps="auto"), n_clips)
    assert FEWEST_STEPS <= steps <= MOST_STEPS
    passes = steps * 128 / n_clips
    if steps < MOST_STEPS:
        assert passes > PASSES - 128 / n_clips
    if steps > FEWEST_STEPS:
        assert passes < PASSES + 128 / n_clips


def test_a_larger_batch_needs_fewer_steps_and_a_number_is_kept():
    assert n_steps(TrainConfig(batch_size=256), 9_000) == pytest.approx(n_steps(TrainConfig(), 9_000) / 2, abs=1)
    assert n_steps(TrainConfig(steps=20), 9_000) == 20


@pytest.mark.parametrize("steps", [0, "many"])
def test_other_steps_are_refused(steps: int | str):
    with pytest.raises(ConfigError, match=f"steps: got {steps!r}.*wanted a number above 0, or auto"):
        parse_config(TrainConfig, {"steps": steps}, where="x.yaml")


def test_the_learning_rate_ends_with_the_last_step_or_with_the_time():
    config = TrainConfig(warmup=10, learning_rate=1.0, max_minutes=2.0)
    assert learning_rate(TrainConfig(warmup=0, learning_rate=1.0), 110, 0) == 1.0
    rates = [learning_rate(config, 110, step) for step in (4, 9, 10, 60, 110)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.505, 0.01])
    rates = [learning_rate(config, 110, 60, minutes) for minutes in (0.5, 1.5, 2.0, 9.0)]
    assert rates == pytest.approx([0.505, 0.01 + 0.99 * 0.1464466, 0.01, 0.01])
