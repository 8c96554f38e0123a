"""The label model: which labels look wrong, and which tracks may vote on which."""

import numpy as np
import pytest

from audioae.screening.mislabeled.grouped_model import N_FOLDS, LabelNeighbors
from audioae.screening.mislabeled.label_model import LabelModel, artist_groups
from audioae.screening.mislabeled.label_noise import swap_labels
from audioae.search.recall import exact_neighbors
from tests.recommend.made import styles
from tests.screening.mislabeled.made import NONE, label_model


@pytest.fixture(scope="module")
def catalog() -> tuple[np.ndarray, np.ndarray]:
    return styles(4, 30, spread=0.7)


def test_swapped_labels_score_lowest_and_the_right_label_is_suggested(catalog):
    vectors, labels = catalog
    swapped = swap_labels(labels, "random", 10, np.random.default_rng(1), np.eye(4), np.full(120, NONE))
    wrong = np.flatnonzero(swapped != labels)
    scores = label_model(vectors, 4).score(swapped)
    assert len(wrong) == 10
    assert set(np.argsort(scores.score)[:10]) == set(wrong)
    assert (scores.other[wrong] == labels[wrong]).all()
    assert (scores.score[wrong] < 0.3).all()
    assert np.delete(scores.score, wrong).min() > 0.6


def test_votes_are_weighted_by_cosine_and_by_the_size_of_the_label():
    vectors, labels = styles(4, 30, spread=2.0)  # the styles overlap, so votes are divided
    sparse = np.concatenate([np.arange(30), np.arange(30, 120, 3)])  # label 0 has three times as many as the others
    vectors, labels = vectors[sparse], labels[sparse]
    scores = label_model(vectors, 4, k=7).score(labels)
    cosines = vectors @ vectors.T - 3 * np.eye(len(vectors))
    for row in range(60):
        nearest = np.argsort(-cosines[row])[:7]
        weights = np.exp((cosines[row, nearest] - cosines[row, nearest[0]]) / 0.1)
        weights = weights / np.sqrt(np.bincount(labels)[labels[nearest]])
        shares = np.bincount(labels[nearest], weights, minlength=4) / weights.sum()
        best = np.delete(shares, labels[row]).max()
        assert scores.neighbors[row] == pytest.approx(shares[labels[row]] - best, abs=1e-4)


def test_the_classifier_is_ridge_regression_on_the_other_folds(catalog):
    """Compared with a regression that is fitted without the fold of the track."""
    vectors, labels = catalog
    model = label_model(vectors, 4)
    fold = model._models[0].own.fold
    assert sorted(set(np.bincount(fold))) == [len(vectors) // N_FOLDS]
    test = fold == fold[5]
    fitting = vectors[~test].astype(float)
    center = vectors.mean(axis=0)
    centered = fitting - center
    strength = 0.02 * np.trace(centered.T @ centered) / 16
    points = np.hstack([centered, np.ones((len(centered), 1))])
    penalty = np.diag([strength] * 16 + [0.0])
    weights = np.linalg.solve(points.T @ points + penalty, points.T @ np.eye(4)[labels[~test]])
    answer = np.append(vectors[5] - center, 1) @ weights
    wanted = np.exp(answer / 0.15) / np.exp(answer / 0.15).sum()
    scores = model.score(labels)
    assert scores.probability[5] == pytest.approx([wanted[labels[5]], wanted[scores.other[5]]], abs=1e-3)


def test_copies_of_a_recording_never_vote_on_each_other(catalog):
    """Nine copies of a track have the same wrong label: if they voted on each other, it would look right."""
    vectors, labels = catalog
    copies = np.r_[np.arange(120), np.zeros(9, int)]
    claimed = labels[copies].copy()
    claimed[copies == 0] = 3
    alone = label_model(vectors[copies], 4).score(claimed).neighbors[0]
    known = label_model(vectors[copies], 4, recordings=copies).score(claimed)
    assert alone > 0.5
    assert known.neighbors[0] < -0.9
    assert known.score[copies == 0].max() < known.score[copies != 0].min()


def test_a_wholly_mislabeled_artist_does_not_confirm_itself():
    """Ten tracks of one artist are nearest to each other, and all have the label of another style."""
    vectors, labels = styles(4, 30, spread=1.2)
    rng = np.random.default_rng(0)
    vectors[:10] = vectors[0] + 0.05 * rng.standard_normal((10, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    artists = np.r_[np.zeros(10, int), np.full(110, NONE)]
    claimed = labels.copy()
    claimed[:10] = 2
    trusting, wary = (label_model(vectors, 4, k=5, artists=a).score(claimed) for a in (np.full(120, NONE), artists))
    assert trusting.neighbors[:10] == pytest.approx(1)
    assert (wary.without_artist[:10] < 0).all()
    assert np.isnan(wary.without_artist[10:]).all()
    assert (wary.score[:10] < trusting.score[:10]).all()
    assert wary.other[0] == 0


def test_half_of_a_score_comes_without_the_artists_other_tracks(catalog):
    """Two tracks per artist: the other half is the score of a model that knows no artists."""
    vectors, labels = catalog
    artists = np.arange(120) // 2
    alone = label_model(vectors, 4).score(labels)
    apart = label_model(vectors, 4, recordings=artists).score(labels)
    both = label_model(vectors, 4, artists=artists).score(labels)
    means = apart.margin.reshape(60, 2).mean(axis=1).repeat(2)
    assert both.without_artist == pytest.approx(means, abs=1e-5)
    assert both.margin == pytest.approx((alone.margin + means) / 2, abs=1e-5)
    assert both.confusion == pytest.approx((alone.confusion + apart.confusion) / 2, abs=1e-5)
    assert np.abs(alone.margin - means).max() > 0.05, "the halves differ"
    assert both.score == pytest.approx((both.margin + 1) / 2, abs=1e-6)
    assert both.confusion.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("artists", "together"),
    [
        ([7, 7, NONE, NONE, 8, 9, 9, 4, 5, 6], [[0, 1], [5, 6]]),
        ([7, 7, 7, NONE, 8, 9, 9, 4, 5, 6], [[5, 6]]),  # 7 has more than a fifth: "Various Artists"
        ([7, 5, NONE, NONE, 8, 9, 9, 4, 5, 6], [[0, 9], [1, 8], [5, 6]]),  # 9 is a copy of 0, whatever its tags say
    ],
)
def test_groups_tracks_by_artist_unless_the_artist_has_too_many(artists, together):
    recordings = np.arange(10)
    recordings[9] = 0 if [0, 9] in together else 9
    number = artist_groups(recordings, np.array(artists))
    groups = [np.flatnonzero(number == group).tolist() for group in np.unique(number)]
    assert sorted(group for group in groups if len(group) > 1) == together


def test_uninformative_neighbors_hardly_count():
    """With random neighbors and a good classifier, the margin is nearly that of the classifier."""
    vectors, labels = styles(4, 60, spread=0.5)
    rng = np.random.default_rng(0)
    rows = rng.integers(len(vectors), size=(len(vectors), 30))
    scores = -np.sort(-rng.random((len(vectors), 30)).astype(np.float32), axis=1)
    model = LabelModel(vectors, LabelNeighbors(scores, rows), np.arange(240), np.full(240, NONE), 4, 15)
    scores = model.score(labels)
    share = np.polyfit(scores.neighbors, scores.margin - scores.classifier, 1)[0]
    assert share < 0.3
    assert scores.score.mean() > 0.75


def test_scoring_in_blocks_changes_nothing(catalog, monkeypatch):
    vectors, labels = catalog
    artists = np.arange(120) // 3
    whole = label_model(vectors, 4, artists=artists).score(labels)
    monkeypatch.setattr("audioae.screening.mislabeled.label_model.CELLS", 4 * 31)
    model = label_model(vectors, 4, artists=artists)
    assert [len(rows) for rows in model._blocks] == [30, 30, 30, 30], "an artist is in one block"
    blocks = model.score(labels)
    for name in ("margin", "without_artist", "votes", "probability", "confusion", "weights"):
        assert getattr(blocks, name) == pytest.approx(getattr(whole, name), abs=1e-5)
    assert (blocks.other == whole.other).all()


def test_tracks_outside_the_reference_are_scored_as_if_they_were_in_it(catalog):
    """The reference itself, given as other tracks, gets its own scores; new tracks are judged by all folds."""
    vectors, labels = catalog
    artists = np.arange(120) // 3
    model = label_model(vectors, 4, artists=artists)
    own, fitted = model.score(labels), model.fit(labels)
    scores, rows = exact_neighbors(vectors, vectors, 41)
    neighbors = LabelNeighbors(scores, rows)  # a track is among its own neighbors
    again, voters = model.score_others(fitted, own.weights, vectors, neighbors, np.arange(120), model.artists, labels)
    assert again.margin == pytest.approx(own.margin, abs=1e-5)
    assert (again.other == own.other).all()
    assert (voters.rows == model.voters(np.arange(120)).rows).all()
    wrong = (labels + 1) % 4
    new = np.arange(1000, 1120)
    strangers, _ = model.score_others(fitted, own.weights, vectors, neighbors, new, new, wrong)
    assert (strangers.score < 0.3).all()
    assert (strangers.other == labels).all()
