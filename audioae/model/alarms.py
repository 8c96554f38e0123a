"""Alarms of a training run. Each one stops the run with a `ModelError` that says what went wrong and what to do."""

import math
from collections.abc import Mapping
from typing import Any

from audioae.errors import ModelError


def check_finite(losses: Mapping[str, float], step: int) -> None:
    """Raise if any term is NaN or infinite; the error names the term."""
    bad = [f"{name} = {value}" for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise ModelError(
            f"training step {step}: {', '.join(bad)}, wanted finite numbers; lower train.learning_rate or "
            "train.clip_norm, or set train.precision: 32-true, and run again (it resumes from the last checkpoint)"
        )


def check_codebook(perplexity: float, codebook_size: int, step: int, grace: int) -> None:
    """Raise if the codebook has collapsed: after `grace` steps, its perplexity is below a floor.

    The floor is 2 % of the codebook size, and at least 1.5. Trained codebooks reach 60 to 90 %.
    """
    floor = max(1.5, 0.02 * codebook_size)
    if step >= grace and perplexity < floor:
        raise ModelError(
            f"training step {step}: codebook collapse, perplexity {perplexity:.1f} of {codebook_size} codes, wanted at "
            f"least {floor:.1f}; lower bottleneck.codebook_size or train.learning_rate, or raise the commitment weight"
        )


class Patience:
    """Counts validations in which the held-out loss did not improve, and remembers the best loss."""

    def __init__(self, patience: int, best: float = math.inf, best_step: int = 0, since: int = 0):
        self.patience = patience
        self.best = best
        self.best_step = best_step
        self.since = since

    def update(self, loss: float, step: int) -> bool:
        """Record one validation; return True if its loss is the best so far."""
        improved = loss < self.best
        if improved:
            self.best, self.best_step, self.since = loss, step, 0
        else:
            self.since += 1
        return improved

    @property
    def exhausted(self) -> bool:
        return self.since >= self.patience

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_step": self.best_step, "since": self.since}
