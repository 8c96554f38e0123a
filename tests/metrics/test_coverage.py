"""Do 95 % intervals contain the true value in 95 % of samples, and are two equal models told apart in no more than 5 %?

Simulated: each artist has a mean of its own, drawn from a beta distribution around the true mean; tracks of one artist
correlate by `correlation`. A value is a hit (0 or 1) or an average precision (between 0 and 1).
"""

import numpy as np
import pytest

from audioae.metrics.intervals import SHARE, group_means
from audioae.metrics.metric import Metric, difference, explained, mean_metric, skewness

RUNS = 2000
N_TRACKS = 60
COVERAGE, FALSE_VERDICTS = 0.93, 0.06
BOOTSTRAPS = 400

HITS, PRECISIONS = True, False
CASES = {
    "precisions around .5": (0.5, 0.1, PRECISIONS),
    "precisions around .5, artists differ": (0.5, 0.4, PRECISIONS),
    "precisions around .03": (0.03, 0.1, PRECISIONS),
    "half hits": (0.5, 0.1, HITS),
    "97 % hits, independent": (0.97, 0.0, HITS),
    "97 % hits": (0.97, 0.05, HITS),
    "97 % hits, misses of few artists": (0.97, 0.3, HITS),
    "2 % hits": (0.02, 0.1, HITS),
}


def equal(n_groups: int, n: int = N_TRACKS) -> np.ndarray:
    return np.full(n_groups, n // n_groups)


def unequal(n_groups: int, n: int = N_TRACKS) -> np.ndarray:
    """Sizes as 1, 1/2, 1/3 ...: of 5 artists, one has 26 of 60 tracks."""
    weights = 1 / np.arange(1, n_groups + 1)
    return np.maximum(np.round(n * weights / weights.sum()), 1).astype(int)


SIZES = [pytest.param(make(n), id=f"{n} {make.__name__}") for n in (5, 8, 12, 30) for make in (equal, unequal)]
ALONE = pytest.param(np.ones(N_TRACKS, int), id="60 alone")


def around(means: np.ndarray, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Beta-distributed numbers of these means: of 0 and 1 with them, the share `correlation` of the variance."""
    if correlation == 0:
        return means
    strength, means = 1 / correlation - 1, np.clip(means, 1e-6, 1 - 1e-6)
    return rng.beta(means * strength, (1 - means) * strength)


def tracks(artists: np.ndarray, sizes: np.ndarray, hits: bool, rng: np.random.Generator) -> np.ndarray:
    """A value per track, shape (runs, n), from the artists' means, shape (runs, n_groups)."""
    means = np.repeat(artists, sizes, axis=1)
    return (rng.random(means.shape) < means).astype(float) if hits else around(means, 0.2, rng)


def draw(sizes: np.ndarray, case: str, rng: np.random.Generator, runs: int = RUNS) -> np.ndarray:
    mean, correlation, hits = CASES[case]
    return tracks(around(np.full((runs, len(sizes)), mean), correlation, rng), sizes, hits, rng)


def draw_pair(sizes: np.ndarray, case: str, rng: np.random.Generator) -> np.ndarray:
    """The difference of two equally good models: an artist is hard for both, and a bit harder for either."""
    mean, correlation, hits = CASES[case]
    shared = around(np.full((RUNS, len(sizes)), mean), correlation, rng)
    one, other = (tracks(around(shared, 0.3 * correlation, rng), sizes, hits, rng) for _ in "ab")
    return one - other


def intervals(values: np.ndarray, sizes: np.ndarray, limits=(-np.inf, np.inf)) -> tuple[np.ndarray, np.ndarray]:
    """Of each run, from the code under test."""
    runs, n = values.shape
    groups = np.tile(np.repeat(np.arange(len(sizes)), sizes), runs)
    means = group_means(values.ravel(), np.repeat(np.arange(runs), n), groups, runs, limits)
    return means.low, means.high


def bootstrapped(values: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles of means over resampled artists."""
    n_groups = len(sizes)
    sums = np.add.reduceat(values, np.r_[0, np.cumsum(sizes)[:-1]], axis=1)
    counts = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=1000)
    low, high = np.percentile(sums @ counts.T / (counts @ sizes), [2.5, 97.5], axis=1)
    return low, high


def holds(ends: tuple[np.ndarray, np.ndarray], truth: float) -> float:
    return float(((ends[0] <= truth) & (truth <= ends[1])).mean())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sizes", [*SIZES, ALONE])
def test_intervals_hold_the_truth(sizes, case):
    ends = intervals(draw(sizes, case, np.random.default_rng(1)), sizes, SHARE)
    assert holds(ends, CASES[case][0]) >= COVERAGE
    assert np.min(ends) >= 0
    assert np.max(ends) <= 1


@pytest.mark.parametrize("case", [name for name in CASES if "97 %" in name])
@pytest.mark.parametrize("n_groups", [5, 12, 30])
def test_many_tracks_of_few_artists_do_not_make_a_share_certain(n_groups, case):
    """Most artists have no miss, so that the data cannot tell whether misses come in clusters."""
    sizes = equal(n_groups, 600)
    assert holds(intervals(draw(sizes, case, np.random.default_rng(1), 1000), sizes, SHARE), 0.97) >= COVERAGE


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sizes", [*SIZES, ALONE])
def test_equal_models_are_rarely_told_apart(sizes, case):
    low, high = intervals(draw_pair(sizes, case, np.random.default_rng(2)), sizes)
    assert np.mean((low > 0) | (high < 0)) <= FALSE_VERDICTS


@pytest.mark.parametrize("n_groups", [2, 3, 4])
def test_fewer_than_five_artists_are_too_few_to_tell(n_groups):
    values = draw(equal(n_groups), "half hits", np.random.default_rng(3), runs=50)
    assert np.isnan(intervals(values, equal(n_groups), SHARE)).all()


def test_intervals_are_not_absurdly_wide():
    """Against those that know the variance: Wilson's for independent hits, the normal one for many artists."""
    alone = np.ones(60, int)
    low, high = intervals(draw(alone, "97 % hits, independent", np.random.default_rng(4)), alone, SHARE)
    assert np.mean(high - low) < 1.15 * 0.095  # Wilson's has .095 on average
    sizes = equal(30)
    values = draw(sizes, "precisions around .5", np.random.default_rng(5))
    low, high = intervals(values, sizes, SHARE)
    assert np.mean(high - low) < 1.1 * 2 * 1.96 * values.mean(axis=1).std()


@pytest.mark.parametrize(("n_groups", "held", "verdicts"), [(2, 0.505, 0.48), (5, 0.815, 0.18), (12, 0.907, 0.08)])
def test_a_percentile_bootstrap_by_artist_does_not_do(n_groups, held, verdicts):
    """What the intervals replaced: the artists of a sample differ less than those of the catalog that it stands for."""
    rng, sizes = np.random.default_rng(6), equal(n_groups)
    ends = bootstrapped(draw(sizes, "precisions around .5", rng, BOOTSTRAPS), sizes, rng)
    assert holds(ends, 0.5) == pytest.approx(held, abs=0.06)
    low, high = bootstrapped(draw_pair(sizes, "precisions around .5", rng)[:BOOTSTRAPS], sizes, rng)
    assert np.mean((low > 0) | (high < 0)) == pytest.approx(verdicts, abs=0.06)


def test_a_percentile_bootstrap_does_not_do_near_the_ends():
    rng, sizes = np.random.default_rng(7), np.ones(60, int)
    assert holds(bootstrapped(draw(sizes, "97 % hits, independent", rng, BOOTSTRAPS), sizes, rng), 0.97) < 0.87


@pytest.mark.parametrize("sizes", [equal(8), unequal(12)])
def test_r2_has_its_coverage(sizes):
    """Artists differ in what is predicted and in the errors, whose variance is .36 of its variance."""
    rng, groups = np.random.default_rng(8), np.repeat(np.arange(len(sizes)), sizes)

    def normal() -> np.ndarray:
        return np.sqrt(0.3) * rng.standard_normal(len(sizes))[groups] + np.sqrt(0.7) * rng.standard_normal(len(groups))

    held = []
    for _ in range(400):
        truth, error = normal(), 0.6 * normal()
        columns = np.stack([error**2, (truth - truth.mean()) ** 2], axis=1)
        ends = Metric("R2", columns, explained, groups, limits=(-np.inf, 1.0)).interval
        assert ends is not None
        held.append(ends[0] <= 1 - 0.36 <= ends[1])
    assert np.mean(held) >= 0.92


def test_equally_skewed_values_are_rarely_told_apart():
    """Counts of lists that a track is in, by two equal models; their skewness is about 1."""
    rng, groups = np.random.default_rng(10), np.repeat(np.arange(12), 5)
    told = 0
    for _ in range(300):
        shared = rng.gamma(1, 5, 60)
        counts = [rng.poisson(shared + rng.gamma(1, 5, 60)).astype(float) for _ in "ab"]
        one, other = (
            Metric("skewness", np.stack([row**power for power in range(4)], axis=1), skewness, groups) for row in counts
        )
        told += difference(one, other).real
    assert told / 300 <= FALSE_VERDICTS


def test_metrics_have_the_intervals_that_are_simulated():
    rng, sizes = np.random.default_rng(9), unequal(8)
    groups = np.repeat(np.arange(8), sizes)
    values = draw(sizes, "half hits", rng, runs=2)
    low, high = intervals(values, sizes, SHARE)
    one, other = (mean_metric("hits", row, groups, limits=SHARE) for row in values)
    assert one.interval == pytest.approx((low[0], high[0]))
    assert other.interval == pytest.approx((low[1], high[1]))
    low, high = intervals(values[:1] - values[1:], sizes)
    assert difference(one, other).interval == pytest.approx((low[0], high[0]))
