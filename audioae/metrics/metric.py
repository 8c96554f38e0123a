"""A metric with its bootstrap interval, and the difference of two metrics.

Conventions
-----------
- A metric stores each track's contribution as columns whose sums give the value. The bootstrap resamples tracks and
  recomputes the value; two sets of vectors are compared on the same resamples.
- The bootstrap resamples groups (artists, where they are known), because tracks of one artist are not independent. If
  all scored tracks belong to one group, it resamples single tracks: the interval is then about that group only.
- The interval covers the choice of tracks. It does not cover the training seed of the model.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap" (percentile intervals); Cameron, Gelbach and
Miller 2008 (resampling groups).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from audioae.errors import EvaluationError

N_RESAMPLES = 2000
LEVEL = 0.95


def ratio(sums: np.ndarray) -> np.ndarray:
    """Mean over the counted tracks. Columns: (value, 1)."""
    return sums[..., 0] / np.where(sums[..., 1] == 0, np.nan, sums[..., 1])


def explained(sums: np.ndarray) -> np.ndarray:
    """R2. Columns: (squared error, squared deviation from the mean)."""
    return 1 - ratio(sums)


def skewness(sums: np.ndarray) -> np.ndarray:
    """Third standardized moment. Columns: (1, x, x^2, x^3)."""
    n, first, second, third = (sums[..., i] for i in range(4))
    mean = first / n
    variance = second / n - mean**2
    central = third / n - 3 * mean * second / n + 2 * mean**3
    return central / np.maximum(variance, 1e-12) ** 1.5


@dataclass(frozen=True)
class Metric:
    """One evaluation metric over a set of tracks.

    Parameters
    ----------
    key : str
        Name in tables and JSON, such as "mAP by label".
    columns : np.ndarray, shape (n, m), float64
        Contribution of each track; a row of zeros excludes the track.
    reduce : callable
        Maps sums over tracks, shape (..., m), to values, shape (...).
    groups : np.ndarray, shape (n,), int
        Group of each track; the bootstrap resamples whole groups.
    higher_is_better : bool or None
        None for metrics without a better direction.
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
        """Number of scored tracks."""
        return int(self.columns.any(axis=1).sum())

    @cached_property
    def resamples(self) -> np.ndarray:
        """Value on each of `N_RESAMPLES` bootstrap resamples, which all metrics over the same groups share."""
        scored = self.columns.any(axis=1)
        groups = self.groups if len(set(self.groups[scored])) > 1 else np.arange(len(self.groups))
        present, group = np.unique(groups, return_inverse=True)
        sums = np.stack([np.bincount(group, column, len(present)) for column in self.columns.T], axis=1)
        rng = np.random.default_rng(0)
        counts = rng.multinomial(len(present), np.full(len(present), 1 / len(present)), size=N_RESAMPLES)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.reduce(counts @ sums)

    @property
    def interval(self) -> tuple[float, float]:
        """Percentile interval at level `LEVEL`."""
        return _percentiles(self.resamples)


def mean_metric(key: str, values: np.ndarray, groups: np.ndarray, higher_is_better: bool | None = True) -> Metric:
    """Make the metric that averages `values` over tracks; NaN excludes a track.

    >>> metric = mean_metric("P@1", np.array([1.0, 0.0, 1.0, np.nan]), np.arange(4))
    >>> round(metric.value, 3), metric.n
    (0.667, 3)
    """
    scored = ~np.isnan(values)
    columns = np.stack([np.where(scored, values, 0.0), scored.astype(float)], axis=1)
    return Metric(key, columns, ratio, groups, higher_is_better)


@dataclass(frozen=True)
class Difference:
    """Difference of two metrics, with its interval."""

    value: float
    interval: tuple[float, float]

    @property
    def real(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval[0] > 0 or self.interval[1] < 0


def difference(metric: Metric, other: Metric) -> Difference:
    """Compute `metric` minus `other` by a paired bootstrap: both see the same tracks in each resample.

    Raises
    ------
    EvaluationError
        If the two metrics cover different tracks.
    """
    if not np.array_equal(metric.groups, other.groups):
        raise EvaluationError(
            f"{metric.key} ({len(metric.groups)} tracks) and {other.key} ({len(other.groups)} tracks) cover different "
            "tracks; restrict both to the tracks that they share"
        )
    return Difference(metric.value - other.value, _percentiles(metric.resamples - other.resamples))


def average(metrics: Sequence[Metric]) -> Metric:
    """Average a metric over several runs on the same tracks, track by track."""
    columns = np.mean([metric.columns for metric in metrics], axis=0)
    return replace(metrics[0], columns=columns)


@dataclass(frozen=True)
class MetricSet:
    """Metrics, and one sentence with the reason for each metric or track that was omitted."""

    metrics: tuple[Metric, ...] = ()
    omitted: tuple[str, ...] = ()

    def __add__(self, other: "MetricSet") -> "MetricSet":
        return MetricSet(self.metrics + other.metrics, self.omitted + other.omitted)


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)
