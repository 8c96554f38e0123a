"""Hubness against counts by hand, and on a planted hub."""

import numpy as np
import pytest
from scipy import stats

from audioae.library.track_metadata import check_vectors, make_metadata
from audioae.metrics import hubness
from audioae.metrics.hubness import biggest_hubs, measure, occurrence

pytestmark = pytest.mark.filterwarnings("error")


def unit(vectors: np.ndarray) -> np.ndarray:
    return check_vectors(vectors, np.arange(len(vectors)), "made")


@pytest.fixture
def vectors() -> np.ndarray:
    return unit(np.random.default_rng(0).standard_normal((50, 12)))


@pytest.fixture
def hub() -> np.ndarray:
    """60 vectors around track 7, which is at their center."""
    around = np.random.default_rng(1).standard_normal((60, 64)) + 1.0
    around[7] = 1.0
    return unit(around)


def metadata_of(n: int, **columns):
    return make_metadata([f"t{i}" for i in range(n)], **columns)


@pytest.mark.parametrize("block", [7, 50, 1024])
def test_occurrence_equals_a_count_by_hand(vectors, block, monkeypatch):
    monkeypatch.setattr(hubness, "BLOCK", block)
    expected = [0] * 50
    for query in range(50):
        others = sorted((i for i in range(50) if i != query), key=lambda i: -float(vectors[query] @ vectors[i]))
        for i in others[:5]:
            expected[i] += 1
    assert occurrence(vectors, 5).tolist() == expected


def test_metrics_follow_from_the_counts(vectors):
    counts = occurrence(vectors, 3)
    skew, never = measure(vectors, metadata_of(50), k=3).metrics
    assert (skew.key, never.key) == ("skewness of 3-occurrence", "never in a top 3")
    assert skew.value == pytest.approx(stats.skew(counts))
    assert never.value == pytest.approx((counts == 0).mean())
    assert 0 < never.value < 1
    for metric in (skew, never):
        assert metric.higher_is_better is False
        assert metric.n == 50
        assert metric.interval is not None
        assert metric.interval[0] < metric.value < metric.interval[1]


def test_ranks_a_planted_hub_first(hub, vectors):
    (row, count), *rest = biggest_hubs(hub, k=5, n_hubs=3)
    assert (row, count) == (7, 59)
    assert len(rest) == 2
    assert [count for _, count in rest] == sorted((count for _, count in rest), reverse=True)
    skew, never = measure(hub, metadata_of(60), k=5).metrics
    assert skew.value > 2
    assert skew.value > measure(vectors, metadata_of(50), k=5).metrics[0].value
    assert never.value > 0


def test_biggest_hubs_report_their_counts(vectors):
    counts = occurrence(vectors, 4)
    hubs = biggest_hubs(vectors, k=4, n_hubs=50)
    assert sorted(row for row, _ in hubs) == list(range(50))
    assert all(counts[row] == count for row, count in hubs)


def test_equal_exposure_has_no_skew():
    """In a ring every track is in the lists of its two neighbors."""
    angles = np.arange(24) * 2 * np.pi / 24
    ring = unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    skew, never = measure(ring, metadata_of(24), k=2).metrics
    assert occurrence(ring, 2).tolist() == [2] * 24
    assert (skew.value, skew.interval, never.value) == (0.0, (0.0, 0.0), 0.0)


def test_collapsed_vectors_give_finite_metrics():
    skew, never = measure(np.full((30, 4), 0.5, np.float32), metadata_of(30, artists=["x"] * 30), k=3).metrics
    assert skew.interval is not None
    assert never.interval is not None
    assert np.isfinite([skew.value, *skew.interval, never.value, *never.interval]).all()
    assert never.value > 0.5


@pytest.mark.parametrize("n", [2, 10, 11])
def test_reports_too_few_tracks(n):
    vectors = unit(np.random.default_rng(2).standard_normal((n, 4)))
    result = measure(vectors, metadata_of(n), k=10)
    assert result.metrics == ()
    assert result.omitted == (f"hubness: {n} tracks are too few for lists of 10 neighbors",)
    assert biggest_hubs(vectors, k=10) == []
    twelve = unit(np.random.default_rng(3).standard_normal((12, 4)))
    assert len(measure(twelve, metadata_of(12), k=10).metrics) == 2
