"""Schedules: factors on a term's weight, as pure functions of the optimizer step without any module state."""

from typing import Annotated, Literal

from pydantic import Field

from audioae.config import Config


class Constant(Config):
    """Always 1."""

    kind: Literal["constant"] = "constant"

    def at(self, step: int) -> float:
        return 1.0


class Linear(Config):
    """0 up to step `start`, then linear to 1 over `steps` steps.

    >>> [Linear(kind="linear", start=100, steps=200).at(step) for step in (0, 200, 999)]
    [0.0, 0.5, 1.0]
    """

    kind: Literal["linear"]
    start: int = Field(default=0, ge=0)
    steps: int = Field(ge=1)

    def at(self, step: int) -> float:
        return min(max((step - self.start) / self.steps, 0.0), 1.0)


class Cyclical(Config):
    """In every `period` of steps: linear from 0 to 1 over the first share `rise`, then 1 (Fu et al. 2019).

    >>> [Cyclical(kind="cyclical", period=100, rise=0.5).at(step) for step in (0, 25, 80, 125)]
    [0.0, 0.5, 1.0, 0.5]
    """

    kind: Literal["cyclical"]
    period: int = Field(ge=1)
    rise: float = Field(default=0.5, gt=0, le=1)

    def at(self, step: int) -> float:
        return min((step % self.period) / (self.period * self.rise), 1.0)


Schedule = Annotated[Constant | Linear | Cyclical, Field(discriminator="kind")]
