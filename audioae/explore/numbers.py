"""Columns of numbers: what is known of their distribution, and how far a selection is from the rest.

Conventions
-----------
- NaN means unknown, and is left out everywhere.
- An effect is Cohen's d: the mean of the selection minus the mean of all other tracks, in standard deviations (pooled).
  0.2 is small, 0.5 medium, 0.8 large. Its interval holds the true value in 95 % of samples, if the selection were one.

Source: Cohen, "Statistical Power Analysis for the Behavioral Sciences" (1988); the interval: Hedges and Olkin,
"Statistical Methods for Meta-Analysis" (1985), eq. 5.B.8; means of parts: Chan, Golub and LeVeque (1979).
"""

from typing import NamedTuple, Self

import numpy as np

Z_95 = 1.96
LEAST = 2  # known values on each side for an effect


class Moments(NamedTuple):
    """How many values there are, their mean, and the sum of their squared differences from it."""

    n: float
    mean: float
    squares: float

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Of the known values.

        >>> Moments.of(np.array([1.0, np.nan, 3.0]))
        Moments(n=2, mean=2.0, squares=2.0)
        """
        known = values[~np.isnan(values)].astype(np.float64)
        if not len(known):
            return cls(0, 0.0, 0.0)
        mean = float(known.mean())
        return cls(len(known), mean, float(((known - mean) ** 2).sum()))

    def without(self, part: "Moments") -> "Moments":
        """Of the others, if `part` is a part of these.

        >>> Moments.of(np.array([1.0, 2.0, 6.0])).without(Moments.of(np.array([6.0])))
        Moments(n=2, mean=1.5, squares=0.5)
        """
        n = self.n - part.n
        if n <= 0:
            return Moments(0, 0.0, 0.0)
        mean = (self.n * self.mean - part.n * part.mean) / n
        squares = self.squares - part.squares - (mean - part.mean) ** 2 * n * part.n / self.n
        return Moments(n, mean, max(squares, 0.0))


class Effect(NamedTuple):
    """Cohen's d and the ends of its interval."""

    d: float
    low: float
    high: float


def effect(selected: Moments, others: Moments) -> Effect | None:
    """How far a selection is from the others; None if too few values are known, or all are equal.

    >>> effect(Moments.of(np.array([3.0, 4.0, 5.0])), Moments.of(np.array([1.0, 2.0, 3.0]))).d
    2.0
    """
    n, m = selected.n, others.n
    if min(n, m) < LEAST:
        return None
    variance = (selected.squares + others.squares) / (n + m - 2)
    if not variance > 1e-12 * max(selected.mean**2, others.mean**2):  # rounding
        return None
    d = (selected.mean - others.mean) / variance**0.5
    error = ((n + m) / (n * m) + d * d / (2 * (n + m))) ** 0.5
    return Effect(d, d - Z_95 * error, d + Z_95 * error)


SUMMARY = ("n", "mean", "squares", "min", "p1", "p50", "p99", "max")


def summary(values: np.ndarray) -> np.ndarray:
    """The numbers `SUMMARY` of a column, shape (8,), float64; NaN if no value is known."""
    moments, known = Moments.of(values), values[~np.isnan(values)]
    if not len(known):
        return np.array([*moments, *[np.nan] * 5])
    return np.array([*moments, *np.percentile(known, (0, 1, 50, 99, 100))])
