"""A metric with its interval, and the difference of two metrics.

Conventions
-----------
- A metric stores each track's contribution as columns whose sums give the value, so that it can be computed again
  without each group of tracks: the jackknife, from which `metrics.intervals` makes the interval. Two sets of vectors
  are compared without the same groups (paired).
- Groups are artists, where they are known, because tracks of one artist are not independent. Fewer than `MIN_GROUPS`
  artists are too few to tell: there is no interval and no verdict. If all scored tracks belong to one artist, its
  tracks are the groups: the interval is then about this artist only. `Metric.note` says either.
- The interval covers the choice of tracks. It does not cover the training seed of the model.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap" (the jackknife).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from audioae.errors import EvaluationError
from audioae.metrics.intervals import MIN_GROUPS, UNLIMITED, interval, spread

R2_LIMITS = (-np.inf, 1.0)


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
        Group of each track; tracks of one group are dependent.
    higher_is_better : bool or None
        None for metrics without a better direction.
    limits : tuple of float
        The range of the value, which the interval stays in; `intervals.SHARE` for shares and averages of shares.
    unit : str
        What a group is.
    """

    key: str
    columns: np.ndarray
    reduce: Callable[[np.ndarray], np.ndarray]
    groups: np.ndarray
    higher_is_better: bool | None = True
    limits: tuple[float, float] = UNLIMITED
    unit: str = "artist"

    @cached_property
    def value(self) -> float:
        return float(self.reduce(self.columns.sum(axis=0)))

    @property
    def n(self) -> int:
        """Number of scored tracks."""
        return int(self.scored.sum())

    @cached_property
    def scored(self) -> np.ndarray:
        """Which tracks are scored, shape (n,), bool."""
        return (self.columns != 0).any(axis=1)

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """Interval at level `intervals.LEVEL`; None if the groups are too few (see `note`)."""
        units = _units(self.groups, self.scored)
        return _interval(self.value, _left_out(self, units), units, self.limits)

    @cached_property
    def note(self) -> str | None:
        """What is to be known about the interval, as a sentence: why there is none, or that it is about one group."""
        units = _units(self.groups, self.scored)
        n, unit = len(units.sizes), "track" if units.single or units.sizes.max(initial=1) == 1 else self.unit
        if n < MIN_GROUPS:
            return f"too few {unit}s to tell: {n}, an interval and a verdict need at least {MIN_GROUPS}"
        if units.single:
            return f"all {self.n} tracks are of one {self.unit}: the interval is about its tracks, not about others"
        if self.interval is None:
            return f"too few {unit}s to tell: without one of {n}, the value cannot be computed"
        return None


def mean_metric(
    key: str,
    values: np.ndarray,
    groups: np.ndarray,
    higher_is_better: bool | None = True,
    limits: tuple[float, float] = UNLIMITED,
    unit: str = "artist",
) -> Metric:
    """Make the metric that averages `values` over tracks; NaN excludes a track.

    >>> metric = mean_metric("P@1", np.array([1.0, 0.0, 1.0, np.nan]), np.arange(4))
    >>> round(metric.value, 3), metric.n
    (0.667, 3)
    """
    scored = ~np.isnan(values)
    columns = np.stack([np.where(scored, values, 0.0), scored.astype(float)], axis=1)
    return Metric(key, columns, ratio, groups, higher_is_better, limits, unit)


@dataclass(frozen=True)
class Difference:
    """Difference of two metrics, with its interval; None if the groups are too few."""

    value: float
    interval: tuple[float, float] | None

    @property
    def real(self) -> bool:
        """Whether there is an interval, and it excludes 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


def difference(metric: Metric, other: Metric) -> Difference:
    """Compute `metric` minus `other` by a paired jackknife: both are computed without the same groups.

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
    units = _units(metric.groups, metric.scored | other.scored)
    value = metric.value - other.value
    ends = _interval(value, _left_out(metric, units) - _left_out(other, units), units)
    if ends is None:
        return Difference(value, None)
    lowest, highest = metric.limits[0] - other.limits[1], metric.limits[1] - other.limits[0]
    return Difference(value, (max(ends[0], lowest), min(ends[1], highest)))


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


class _Units(NamedTuple):
    """What is left out one at a time: the unit of each track (-1: not scored), and the tracks of each unit.

    Units are groups; if there is a single one, they are its tracks.
    """

    codes: np.ndarray
    sizes: np.ndarray
    single: bool


def _units(groups: np.ndarray, scored: np.ndarray) -> _Units:
    present, code = np.unique(groups[scored], return_inverse=True)
    single = len(present) == 1
    codes = np.full(len(groups), -1)
    codes[scored] = np.arange(len(code)) if single else code
    return _Units(codes, np.bincount(codes[scored]), single)


def _left_out(metric: Metric, units: _Units) -> np.ndarray:
    """The value without each unit, shape (n_units,)."""
    scored = units.codes >= 0
    codes, n = units.codes[scored], len(units.sizes)
    sums = np.stack([np.bincount(codes, column[scored], n) for column in metric.columns.T], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return metric.reduce(sums.sum(axis=0) - sums)


def _interval(
    value: float, left_out: np.ndarray, units: _Units, limits: tuple[float, float] = UNLIMITED
) -> tuple[float, float] | None:
    if len(units.sizes) < MIN_GROUPS:
        return None
    low, high = interval(value, spread(units.sizes, left_out - value), limits)
    return (float(low[0]), float(high[0])) if np.isfinite([low, high]).all() else None
