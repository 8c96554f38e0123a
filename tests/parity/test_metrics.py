"""Ranking metrics equal scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from audioae.library.track_metadata import check_vectors, make_metadata
from audioae.metrics import retrieval
from audioae.recommend.metrics import ndcg


def test_average_precision_equals_sklearn():
    rng = np.random.default_rng(2)
    labels = rng.choice(["a", "b", "c", "d"], 50)
    vectors = check_vectors(rng.standard_normal((50, 16)), np.arange(50), "random")
    metadata = make_metadata([f"t{i}" for i in range(50)], labels=labels.tolist())
    (metric,) = (m for m in retrieval.measure(vectors, metadata).metrics if m.key == "mAP by label")
    expected = []
    for query in range(50):
        others = np.arange(50) != query
        expected.append(average_precision_score(labels[others] == labels[query], vectors[others] @ vectors[query]))
    np.testing.assert_allclose(metric.columns[:, 0], expected, atol=1e-6)
    assert metric.value == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("k", [1, 10, 60, 99])
def test_ndcg_equals_sklearn(k: int):
    rng = np.random.default_rng(3)
    scores, played = rng.standard_normal((40, 60)), rng.random((40, 60)) < 0.15
    assert played.any(axis=1).all()
    gain, _, _ = ndcg(scores, played, k)
    expected = [ndcg_score([row], [score], k=k) for row, score in zip(played.astype(float), scores, strict=True)]
    np.testing.assert_allclose(gain, expected)
