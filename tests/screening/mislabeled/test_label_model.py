"""Who is found to be mislabeled, who may judge whom, and what planted swaps say about it."""

import numpy as np
import pytest

from audioae.screening.mislabeled.label_model import N_FOLDS, LabelModel, LabelNeighbors, artist_groups
from audioae.screening.mislabeled.label_noise import LabelNoiseTest, inject_label_noise, swap_labels
from audioae.search.recall import exact_neighbors
from tests.playlists.made import styles

NONE = -1


def made_jury(
    vectors: np.ndarray, n_labels: int, k: int = 10, recordings=None, artists=None, depth: int = 40
) -> LabelModel:
    n = len(vectors)
    scores, rows = exact_neighbors(vectors, vectors, min(depth, n - 1) + 1)
    own = rows == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    neighbors = LabelNeighbors(scores[~own].reshape(n, -1), rows[~own].reshape(n, -1))
    recordings = np.arange(n) if recordings is None else recordings
    artists = np.full(n, NONE) if artists is None else artists
    return LabelModel(vectors, neighbors, recordings, artists, n_labels, k)


@pytest.fixture(scope="module")
def catalog() -> tuple[np.ndarray, np.ndarray]:
    return styles(4, 30, spread=0.7)


def test_swapped_labels_have_the_lowest_scores_and_get_their_own_suggested(catalog):
    vectors, labels = catalog
    swapped = swap_labels(labels, "random", 10, np.random.default_rng(1), np.eye(4), np.full(120, NONE))
    wrong = np.flatnonzero(swapped != labels)
    opinion = made_jury(vectors, 4).judge(swapped)
    assert len(wrong) == 10
    assert set(np.argsort(opinion.score)[:10]) == set(wrong)
    assert (opinion.other[wrong] == labels[wrong]).all()
    assert (opinion.score[wrong] < 0.3).all()
    assert np.delete(opinion.score, wrong).min() > 0.6


def test_votes_are_those_of_the_nearest_by_their_closeness_and_the_size_of_their_label(catalog):
    vectors, labels = catalog
    sparse = np.concatenate([np.arange(30), np.arange(30, 120, 3)])  # label 0 has three times as many as the others
    vectors, labels = vectors[sparse], labels[sparse]
    opinion = made_jury(vectors, 4, k=7).judge(labels)
    cosines = vectors @ vectors.T - 3 * np.eye(len(vectors))
    for row in (0, 35, 59):
        nearest = np.argsort(-cosines[row])[:7]
        weights = np.exp((cosines[row, nearest] - cosines[row, nearest[0]]) / 0.1)
        weights = weights / np.sqrt(np.bincount(labels)[labels[nearest]])
        shares = np.bincount(labels[nearest], weights, minlength=4) / weights.sum()
        best = np.delete(shares, labels[row]).max()
        assert opinion.neighbors[row] == pytest.approx(shares[labels[row]] - best, abs=1e-4)


def test_the_classifier_is_ridge_regression_on_the_other_folds(catalog):
    """Against the same regression fitted anew without the track's fold, which is told by who changes its answer."""
    vectors, labels = catalog
    jury = made_jury(vectors, 4)
    fold = jury._own._fold
    assert sorted(set(np.bincount(fold))) == [len(vectors) // N_FOLDS]
    held = fold == fold[5]
    fitting = vectors[~held].astype(float)
    center = vectors.mean(axis=0)
    centered = fitting - center
    strength = 0.02 * np.trace(centered.T @ centered) / 16
    points = np.hstack([centered, np.ones((len(centered), 1))])
    penalty = np.diag([strength] * 16 + [0.0])
    weights = np.linalg.solve(points.T @ points + penalty, points.T @ np.eye(4)[labels[~held]])
    answer = np.append(vectors[5] - center, 1) @ weights
    wanted = np.exp(answer / 0.15) / np.exp(answer / 0.15).sum()
    opinion = jury.judge(labels)
    assert opinion.probability[5] == pytest.approx([wanted[labels[5]], wanted[opinion.other[5]]], abs=1e-3)


def test_copies_of_a_recording_never_judge_each_other(catalog):
    """Nine copies of a track say the same wrong label: with a vote on each other they would look right."""
    vectors, labels = catalog
    copies = np.r_[np.arange(120), np.zeros(9, int)]
    claimed = labels[copies].copy()
    claimed[copies == 0] = 3
    alone = made_jury(vectors[copies], 4).judge(claimed).neighbors[0]
    known = made_jury(vectors[copies], 4, recordings=copies).judge(claimed)
    assert alone > 0.5
    assert known.neighbors[0] < -0.9
    assert known.score[copies == 0].max() < known.score[copies != 0].min()


def test_a_wholly_mislabeled_artist_does_not_vouch_for_itself():
    """Ten tracks of one artist lie closest to each other; all are claimed to be of another style."""
    vectors, labels = styles(4, 30, spread=1.2)
    rng = np.random.default_rng(0)
    vectors[:10] = vectors[0] + 0.05 * rng.standard_normal((10, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    artists = np.r_[np.zeros(10, int), np.full(110, NONE)]
    claimed = labels.copy()
    claimed[:10] = 2
    trusting, wary = (made_jury(vectors, 4, k=5, artists=a).judge(claimed) for a in (np.full(120, NONE), artists))
    assert trusting.neighbors[:10] == pytest.approx(1)
    assert (wary.apart[:10] < 0).all()
    assert np.isnan(wary.apart[10:]).all()
    assert (wary.score[:10] < trusting.score[:10]).all()
    assert wary.other[0] == 0


@pytest.mark.parametrize(
    ("artists", "together"),
    [
        ([7, 7, NONE, NONE, 8, 9, 9, 4, 5, 6], [[0, 1], [5, 6]]),
        ([7, 7, 7, NONE, 8, 9, 9, 4, 5, 6], [[5, 6]]),  # 7 has more than a fifth: "Various Artists"
        ([7, 5, NONE, NONE, 8, 9, 9, 4, 5, 6], [[0, 9], [1, 8], [5, 6]]),  # 9 is a copy of 0, whatever its tag
    ],
)
def test_tracks_of_an_artist_belong_together_unless_it_has_too_many(artists, together):
    recordings = np.arange(10)
    recordings[9] = 0 if [0, 9] in together else 9
    found = artist_groups(recordings, np.array(artists))
    groups = [np.flatnonzero(found == group).tolist() for group in np.unique(found)]
    assert sorted(group for group in groups if len(group) > 1) == together


def test_a_part_that_says_nothing_has_no_say():
    """Neighbors by lot beside a classifier that can tell: the margin is nearly the classifier's."""
    vectors, labels = styles(4, 60, spread=0.5)
    rng = np.random.default_rng(0)
    rows = rng.integers(len(vectors), size=(len(vectors), 30))
    scores = -np.sort(-rng.random((len(vectors), 30)).astype(np.float32), axis=1)
    jury = LabelModel(vectors, LabelNeighbors(scores, rows), np.arange(240), np.full(240, NONE), 4, 15)
    opinion = jury.judge(labels)
    share = np.polyfit(opinion.neighbors, opinion.margin - opinion.classifier, 1)[0]
    assert share < 0.3
    assert opinion.score.mean() > 0.75


def test_planted_swaps_are_counted_right():
    vectors, labels = styles(4, 30, spread=3)
    albums = np.arange(120) // 3
    jury = made_jury(vectors, 4)
    opinion = jury.judge(labels)
    planted = inject_label_noise(jury, labels, opinion, albums, share=0.1, budget=200, seed=3)
    document = planted.document
    for kind in ("random", "confusable", "albums"):
        found = document[kind]
        assert found["chance"] == pytest.approx(0.1)
        assert found["planted"] == 12
        assert found["budget"] == 12  # a tenth of the catalog
        assert found["precision_at_budget"] == pytest.approx(found["recall_at_budget"])
        assert found["chance"] < found["average_precision"] <= 1
    assert document["random"]["average_precision"] > document["confusable"]["average_precision"]
    assert len(planted.score) == 2 * document["random"]["rounds"] * 120
    assert planted.wrong.mean() == pytest.approx(0.1)
    again = inject_label_noise(jury, labels, opinion, albums, share=0.1, budget=200, seed=3)
    assert again.document == document


def test_swaps_are_what_they_are_called(catalog):
    _, labels = catalog
    rng = np.random.default_rng(0)
    confusion = np.array([[0.9, 0.0, 0.1, 0.0], [0.0, 0.7, 0.1, 0.2], [0.3, 0.0, 0.7, 0.0], [0.0, 0.4, 0.0, 0.6]])
    albums = np.r_[np.arange(60) // 5, np.full(60, NONE)]
    swapped = swap_labels(labels, "confusable", 40, rng, confusion, albums)
    wrong = swapped != labels
    assert wrong.sum() == 40
    assert (swapped[wrong] == np.array([2, 3, 0, 1])[labels[wrong]]).all()
    whole = swap_labels(labels, "albums", 12, rng, confusion, albums) != labels
    assert whole.sum() == 15
    assert not whole[60:].any()
    assert set(np.bincount(albums[:60], whole[:60])) == {0, 5}


def test_confidence_and_threshold_are_calibrated_on_swaps_not_seen():
    vectors, labels = styles(5, 60, spread=1.8, seed=1)
    jury = made_jury(vectors, 5)
    opinion = jury.judge(labels)
    none = np.full(300, NONE)
    planted = inject_label_noise(jury, labels, opinion, none, seed=0)
    others = [inject_label_noise(jury, labels, opinion, none, seed=seed) for seed in range(1, 6)]
    score = np.concatenate([other.score for other in others])
    wrong = np.concatenate([other.wrong for other in others])
    right = wrong & np.concatenate([other.named for other in others])
    confidence = planted.confidence(score)
    assert confidence.sum() == pytest.approx(right.sum(), rel=0.1)
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 1.01)):
        among = (confidence >= low) & (confidence < high)
        assert right[among].mean() == pytest.approx(confidence[among].mean(), abs=0.1)
    strict, lax = planted.threshold(0.9), planted.threshold(0.3)
    assert 0 < strict < lax < 1
    assert wrong[score < strict].mean() > 0.8
    assert wrong[score < strict].mean() > wrong[score < lax].mean() > 0.3


def test_where_no_score_means_wrong_there_is_no_threshold():
    score = np.linspace(0, 1, 50)
    wrong = np.arange(50) % 10 == 0
    assert LabelNoiseTest({}, score, wrong, wrong).threshold(0.95) in (0.0, pytest.approx(score[:2].mean()))
    assert LabelNoiseTest({}, score, np.zeros(50, bool), wrong).threshold(0.5) == 0
    assert LabelNoiseTest({}, np.zeros(4), np.ones(4, bool), np.ones(4, bool)).threshold(0.5) == 1
