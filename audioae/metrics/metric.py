"""A metric with its interval, and whether two metrics differ.

Conventions
-----------
- A metric keeps what each track contributes, as columns whose sums give the value: the bootstrap draws tracks again
  and recomputes it, for two sets of vectors on the same draws where they are compared.
- What is drawn are groups (artists, where they are known): tracks of one artist are no independent evidence. Where all
  tracks that have a say are of one group, they are drawn one by one: the interval is then about that group's tracks.
- An interval covers which tracks were asked, not which seed the model was trained with.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", percentile intervals; drawn by group: Cameron,
Gelbach and Miller 2008.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from audioae.errors import EvaluationError

N_DRAWS = 2000
LEVEL = 0.95


def ratio(sums: np.ndarray) -> np.ndarray:
    """Mean of what is counted: columns (value, 1)."""
    return sums[..., 0] / np.where(sums[..., 1] == 0, np.nan, sums[..., 1])


def explained(sums: np.ndarray) -> np.ndarray:
    """R2: columns (squared error, squared deviation from the mean)."""
    return 1 - ratio(sums)


def skewness(sums: np.ndarray) -> np.ndarray:
    """Third standardized moment: columns (1, x, x^2, x^3)."""
    n, first, second, third = (sums[..., i] for i in range(4))
    mean = first / n
    variance = second / n - mean**2
    central = third / n - 3 * mean * second / n + 2 * mean**3
    return central / np.maximum(variance, 1e-12) ** 1.5


@dataclass(frozen=True)
class Metric:
    """One figure of merit.

    Parameters
    ----------
    key : str
        Its name in tables and JSON, such as "mAP by label".
    columns : np.ndarray, shape (n, m), float64
        What each track contributes; a row of zeros where a track has no say.
    reduce : callable
        From sums over tracks (..., m) to the value (...).
    groups : np.ndarray, shape (n,), int
        Which tracks are drawn together.
    higher_is_better : bool or None
        None where neither is.
    """

    key: str
    columns: np.ndarray
    reduce: Callable[[np.ndarray], np.ndarray]
    groups: np.ndarray
    higher_is_better: bool | None = True

    @cached_property
    def value(self) -> float:
        return float(self.reduce(self.columns.sum(axis=0)))

    @property
    def n(self) -> int:
        """Tracks that have a say."""
        return int(self.columns.any(axis=1).sum())

    @cached_property
    def draws(self) -> np.ndarray:
        """The value on each of `N_DRAWS` bootstrap draws; the same draws for every metric over the same groups."""
        asked = self.columns.any(axis=1)
        groups = self.groups if len(set(self.groups[asked])) > 1 else np.arange(len(self.groups))
        present, group = np.unique(groups, return_inverse=True)
        sums = np.stack([np.bincount(group, column, len(present)) for column in self.columns.T], axis=1)
        rng = np.random.default_rng(0)
        counts = rng.multinomial(len(present), np.full(len(present), 1 / len(present)), size=N_DRAWS)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.reduce(counts @ sums)

    @property
    def interval(self) -> tuple[float, float]:
        """Percentile interval at `LEVEL`."""
        return _percentiles(self.draws)


def mean_metric(key: str, values: np.ndarray, groups: np.ndarray, higher_is_better: bool | None = True) -> Metric:
    """A mean over tracks; NaN means that the track has no say.

    >>> metric = mean_metric("P@1", np.array([1.0, 0.0, 1.0, np.nan]), np.arange(4))
    >>> round(metric.value, 3), metric.n
    (0.667, 3)
    """
    asked = ~np.isnan(values)
    columns = np.stack([np.where(asked, values, 0.0), asked.astype(float)], axis=1)
    return Metric(key, columns, ratio, groups, higher_is_better)


@dataclass(frozen=True)
class Difference:
    """`value` minus the other's, its interval, and whether that leaves out 0."""

    value: float
    interval: tuple[float, float]

    @property
    def real(self) -> bool:
        return self.interval[0] > 0 or self.interval[1] < 0


def difference(metric: Metric, other: Metric) -> Difference:
    """How much `metric` is above `other`, drawn pairwise: both see the same tracks in each draw.

    Raises
    ------
    EvaluationError
        If the two are not over the same tracks.
    """
    if not np.array_equal(metric.groups, other.groups):
        raise EvaluationError(
            f"{metric.key} ({len(metric.groups)} tracks) and {other.key} ({len(other.groups)} tracks) are not over the "
            "same tracks; compare on those that both have"
        )
    return Difference(metric.value - other.value, _percentiles(metric.draws - other.draws))


def average(metrics: Sequence[Metric]) -> Metric:
    """One metric of several runs on the same tracks: what each track contributes, averaged over the runs."""
    columns = np.mean([metric.columns for metric in metrics], axis=0)
    return replace(metrics[0], columns=columns)


@dataclass(frozen=True)
class MetricSet:
    """What a question comes to: metrics, and one sentence for each thing left out, with the reason."""

    metrics: tuple[Metric, ...] = ()
    omitted: tuple[str, ...] = ()

    def __add__(self, other: "MetricSet") -> "MetricSet":
        return MetricSet(self.metrics + other.metrics, self.omitted + other.omitted)


def _percentiles(draws: np.ndarray) -> tuple[float, float]:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(draws, [tail, 100 - tail])
    return float(low), float(high)
