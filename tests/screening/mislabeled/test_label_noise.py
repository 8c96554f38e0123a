"""The self-test with label noise: what is swapped, what is counted, and how scores are calibrated."""

import numpy as np
import pytest

from audioae.screening.mislabeled.label_noise import LabelNoiseTest, inject_label_noise, swap_labels
from tests.recommend.made import styles
from tests.screening.mislabeled.made import NONE, label_model


def test_counts_swaps_by_kind():
    vectors, labels = styles(4, 30, spread=3)
    albums = np.arange(120) // 3
    model = label_model(vectors, 4)
    scores = model.score(labels)
    noise_test = inject_label_noise(model, labels, scores, albums, share=0.1, budget=200, seed=3)
    document = noise_test.document
    for kind in ("random", "confusable", "albums"):
        figures = document[kind]
        assert figures["chance"] == pytest.approx(0.1)
        assert figures["planted"] == 12
        assert figures["budget"] == 12  # a tenth of the catalog
        assert figures["precision_at_budget"] == pytest.approx(figures["recall_at_budget"])
        assert figures["chance"] < figures["average_precision"] <= 1
    assert document["random"]["average_precision"] > document["confusable"]["average_precision"]
    assert len(noise_test.score) == 2 * document["random"]["rounds"] * 120
    assert noise_test.swapped.mean() == pytest.approx(0.1)
    again = inject_label_noise(model, labels, scores, albums, share=0.1, budget=200, seed=3)
    assert again.document == document


def test_swaps_labels_as_their_kind_says():
    labels = np.repeat(np.arange(4), 30)
    rng = np.random.default_rng(0)
    confusion = np.array([[0.9, 0.0, 0.1, 0.0], [0.0, 0.7, 0.1, 0.2], [0.3, 0.0, 0.7, 0.0], [0.0, 0.4, 0.0, 0.6]])
    albums = np.r_[np.arange(60) // 5, np.full(60, NONE)]
    noisy = swap_labels(labels, "confusable", 40, rng, confusion, albums)
    swapped = noisy != labels
    assert swapped.sum() == 40
    assert (noisy[swapped] == np.array([2, 3, 0, 1])[labels[swapped]]).all()
    whole = swap_labels(labels, "albums", 12, rng, confusion, albums) != labels
    assert whole.sum() == 15
    assert not whole[60:].any()
    assert set(np.bincount(albums[:60], whole[:60])) == {0, 5}


def test_confidence_and_threshold_hold_for_other_swaps():
    vectors, labels = styles(5, 60, spread=1.8, seed=1)
    model = label_model(vectors, 5)
    scores = model.score(labels)
    none = np.full(300, NONE)
    noise_test = inject_label_noise(model, labels, scores, none, seed=0)
    others = [inject_label_noise(model, labels, scores, none, seed=seed) for seed in range(1, 6)]
    score = np.concatenate([other.score for other in others])
    swapped = np.concatenate([other.swapped for other in others])
    right = swapped & np.concatenate([other.suggested_right for other in others])
    confidence = noise_test.confidence(score)
    assert confidence.sum() == pytest.approx(right.sum(), rel=0.1)
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 1.01)):
        among = (confidence >= low) & (confidence < high)
        assert right[among].mean() == pytest.approx(confidence[among].mean(), abs=0.1)
    strict, loose = noise_test.threshold(0.9), noise_test.threshold(0.3)
    assert 0 < strict < loose < 1
    assert swapped[score < strict].mean() > 0.8
    assert swapped[score < strict].mean() > swapped[score < loose].mean() > 0.3


def test_the_threshold_is_zero_if_no_score_is_precise_enough():
    score = np.linspace(0, 1, 50)
    swapped = np.arange(50) % 10 == 0
    assert LabelNoiseTest({}, score, swapped, swapped).threshold(0.95) in (0.0, pytest.approx(score[:2].mean()))
    assert LabelNoiseTest({}, score, np.zeros(50, bool), swapped).threshold(0.5) == 0
    assert LabelNoiseTest({}, np.zeros(4), np.ones(4, bool), np.ones(4, bool)).threshold(0.5) == 1
