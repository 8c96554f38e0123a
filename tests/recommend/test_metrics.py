"""Metrics of item cold start and the scores of the baselines, against results by hand."""

import numpy as np
import pytest

from audioae.recommend.metrics import Round, baseline_scores, measure, ndcg


def values(result) -> dict[str, float]:
    return {metric.key: metric.value for metric in result.metrics}


def test_ndcg_and_recall_by_hand():
    scores = np.array([[4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    played = np.array([[True, False, True, False], [False, False, False, True], [False] * 4])
    gain, recall, recommended = ndcg(scores, played, 3)
    assert gain[0] == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)))
    assert gain[1] == 0
    assert np.isnan(gain[2])
    assert recall[:2].tolist() == [1.0, 0.0]
    assert np.isnan(recall[2])
    assert recommended[0].tolist() == [0, 1, 2]


def test_perfect_and_reversed_scores():
    rng = np.random.default_rng(0)
    played = rng.random((20, 30)) < 0.2
    rounds = [Round(np.arange(30), played)]
    results = measure({"best": [played * 1.0], "worst": [-1.0 * played]}, rounds, rng.random(40), k=5)
    best, worst = values(results["best"]), values(results["worst"])
    assert best["nDCG@5"] == pytest.approx(1)
    assert best["recall@5"] == pytest.approx(1)
    assert best["AUC of the audience"] == pytest.approx(1)
    assert worst["nDCG@5"] == 0
    assert worst["AUC of the audience"] == pytest.approx(0)


def test_coverage_and_popularity_bias():
    popularity = np.arange(20.0)
    rounds = [Round(np.arange(10), np.eye(4, 10, dtype=bool)), Round(np.arange(10, 20), np.eye(4, 10, dtype=bool))]
    always = np.tile(np.arange(10.0), (4, 1))
    spread = np.roll(np.eye(4, 10), 0, axis=1) + 0.1 * np.roll(np.eye(4, 10), 4, axis=1)
    results = measure({"popular": [always, always], "spread": [spread, spread]}, rounds, popularity, k=2)
    popular, wide = values(results["popular"]), values(results["spread"])
    assert popular["coverage@2"] == pytest.approx(0.2)
    assert wide["coverage@2"] == pytest.approx(0.8)
    assert popular["popularity bias@2"] == pytest.approx(4 / 20)
    assert wide["popularity bias@2"] < 0


def test_baseline_scores_by_hand():
    labels = np.array(["jazz", "jazz", "folk", "folk", "jazz", "folk", "", "jazz"])
    artists = np.array(["A", "B", "C", "C", "A", "C", "D", "B"])
    plays = np.zeros((3, 8))
    plays[0, [0, 1]] = 1  # jazz
    plays[1, [2, 3]] = 1  # folk
    plays[2, [0, 2]] = 1  # both
    new = np.array([4, 5, 6, 7])
    scores = baseline_scores(plays, new, labels, artists)
    assert {name: values.shape for name, values in scores.items()} == dict.fromkeys(scores, (3, 4))
    assert np.allclose(scores["label"], [[1, 0, 0, 1], [0, 1, 0, 0], [0.5, 0.5, 0, 0.5]])
    assert np.allclose(scores["popularity"][0], [2, 1.5, 0, 1])  # of A's, C's, nobody's and B's tracks
    assert np.allclose(scores["popularity within label"][0], [2, 0, 0, 1], atol=1e-4)
    assert scores["artist, then label"][0, 0] == pytest.approx(0.501)
    assert scores["random"].std() > 0.1


def test_new_artist_gets_the_popularity_of_the_label():
    labels, artists = np.array(["jazz", "jazz", "jazz"]), np.array(["A", "B", "C"])
    plays = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert np.allclose(baseline_scores(plays, np.array([2]), labels, artists)["popularity"], 1.5)
