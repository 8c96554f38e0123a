"""Ranks of recordings, MRR and recall@k, on vectors with known results."""

import numpy as np
import pytest

from audioae.metrics.same_recording import own_ranks, rank_metrics

ANGLES = np.linspace(0, np.pi, 200)
CATALOG = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def test_the_rank_counts_the_tracks_that_are_closer():
    # On an arc, a query that is as far as m steps past its own track has 2 m - 1 closer ones.
    rows = np.array([100, 100, 100, 100])
    steps = np.array([0, 0.4, 3.4, 60.4])
    angles = ANGLES[rows] + steps * (ANGLES[1] - ANGLES[0])
    queries = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    ranks = own_ranks(queries, CATALOG, rows)
    assert ranks.tolist() == [1, 1, 7, 100]  # 39 of the 120 closer tracks are beyond the end of the arc


def test_copies_of_the_recording_do_not_push_it_down():
    catalog = np.concatenate([CATALOG[5:6], CATALOG, CATALOG[5:6]])
    assert own_ranks(CATALOG[5:6], catalog, np.array([6])).tolist() == [1]


def test_metrics_by_rank():
    ranks = np.array([1, 2, 10, 50, np.nan])
    found = rank_metrics("mp3", ranks, 200, np.arange(5))
    assert found["mrr"].value == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 50) / 4)
    assert {name: found[name].value for name in ("recall_1", "recall_10", "recall_100")} == {
        "recall_1": 1 / 4,
        "recall_10": 3 / 4,
        "recall_100": 1.0,
    }
    assert {metric.n for metric in found.values()} == {4}
    assert list(rank_metrics("mp3", ranks, 100, np.arange(5))) == ["mrr", "recall_1", "recall_10"]
    assert list(rank_metrics("mp3", ranks, 10, np.arange(5))) == ["mrr", "recall_1"]
