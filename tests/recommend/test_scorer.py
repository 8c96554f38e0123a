"""Recommendations on made-up catalogs where the listeners' likes are known."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from audioae.errors import SearchError
from audioae.recommend.item_features import NAME_WEIGHT, item_features
from audioae.recommend.scorer import MIN_LISTENERS, ColdStartScorer
from tests.recommend.made import plays_of, styles

LIKED = [[i % 6, (i * 5 + 1) % 6] for i in range(MIN_LISTENERS + 10)]


@pytest.fixture(scope="module")
def catalog():
    vectors, style = styles(n_styles=6, n_each=40)
    allowed = np.arange(len(style)) % 4 > 0
    return vectors, style, plays_of(style, LIKED, allowed), np.arange(len(style)) // 2


def test_recommends_unplayed_tracks_that_the_listener_likes(catalog):
    vectors, style, plays, groups = catalog
    scorer = ColdStartScorer(vectors, plays, groups)
    played = np.unique(plays.indices)
    rows, scores = scorer.recommend(np.arange(len(LIKED)), 8)
    assert not np.isin(rows, played).any()
    precision = [np.isin(style[found], liked).mean() for found, liked in zip(rows, LIKED, strict=True)]
    assert np.mean(precision) > 0.95
    assert (np.diff(scores.total, axis=1) <= 1e-6).all()
    assert scores.others is not None
    assert scorer.cross_validation is not None


def test_log_of_few_listeners_has_no_part_from_others(catalog):
    vectors, style, plays, groups = catalog
    scorer = ColdStartScorer(vectors, plays[:3], groups)
    rows, scores = scorer.recommend(np.array([1]), 5)
    assert scores.others is None
    assert scorer.cross_validation is None
    assert np.isin(style[rows[0]], LIKED[1]).all()


def test_result_does_not_depend_on_the_batch_of_listeners(catalog):
    vectors, _, plays, groups = catalog
    scorer = ColdStartScorer(vectors, plays, groups)
    together, _ = scorer.recommend(np.arange(len(LIKED)), 5)
    alone, _ = scorer.recommend(np.array([7]), 5)
    assert alone[0].tolist() == together[7].tolist()


def test_listeners_beyond_the_first_block_are_scored_by_their_own_tastes(catalog, monkeypatch: pytest.MonkeyPatch):
    vectors, _, plays, groups = catalog
    scorer = ColdStartScorer(vectors, plays, groups)
    every = np.arange(len(LIKED))
    monkeypatch.setattr("audioae.recommend.scorer.BLOCK", 16)
    track = scorer.new[0]
    wanted = np.concatenate([scorer.scores(every[[row]], vectors[[track]]).total[0] for row in every])
    rows, scores = scorer.audience(vectors[track], 1000)
    assert sorted(rows.tolist()) == every.tolist()
    assert scores == pytest.approx(wanted[rows], abs=1e-5)
    found, blocks = scorer.recommend(every, 3)
    for row in every:
        own, alone = scorer.recommend(every[[row]], 3)
        assert found[row].tolist() == own[0].tolist()
        assert blocks.total[row] == pytest.approx(alone.total[0], abs=1e-5)


def test_a_score_is_the_mean_of_two_parts_in_deviations_above_the_average_track(catalog):
    vectors, _, plays, groups = catalog
    scores = ColdStartScorer(vectors, plays, groups).scores(np.arange(5), vectors)
    assert scores.others is not None
    for part in (scores.fit, scores.others):
        assert part.mean(axis=1) == pytest.approx(np.zeros(5), abs=1e-4)
        assert part.std(axis=1) == pytest.approx(np.ones(5), abs=1e-4)
    assert scores.total == pytest.approx((scores.fit + scores.others) / 2)


def test_audience_likes_the_style_of_the_track(catalog):
    vectors, style, plays, groups = catalog
    scorer = ColdStartScorer(vectors, plays, groups)
    track = scorer.new[0]
    rows, scores = scorer.audience(vectors[track], 5)
    assert all(style[track] in LIKED[row] for row in rows)
    assert (np.diff(scores) <= 0).all()
    assert len(scorer.audience(vectors[track], 1000)[0]) == len(LIKED)


def test_reason_gives_played_tracks_of_the_taste(catalog):
    vectors, style, plays, groups = catalog
    scorer = ColdStartScorer(vectors, plays, groups)
    for row in range(5):
        track = scorer.recommend(np.array([row]), 1)[0][0, 0]
        reason = scorer.reason(row, vectors[track])
        assert len(reason.rows) == 2
        assert set(reason.rows) <= set(np.flatnonzero(plays[[row]].toarray()))
        assert set(style[reason.rows]) == {style[track]}


def test_never_recommends_hidden_tracks_and_returns_fewer_than_k(catalog):
    vectors, _, plays, groups = catalog
    every = ColdStartScorer(vectors, plays, groups).new
    hidden = np.zeros(len(vectors), bool)
    hidden[every[3:]] = True
    rows, _ = ColdStartScorer(vectors, plays, groups, hidden).recommend(np.array([0]), 50)
    assert sorted(rows[0]) == every[:3].tolist()


def test_refuses_bad_input(catalog):
    vectors, style, plays, groups = catalog
    with pytest.raises(SearchError, match="plays of 240 tracks, features of 9"):
        ColdStartScorer(vectors[:9], plays, groups)
    scorer = ColdStartScorer(vectors, plays, groups)
    with pytest.raises(SearchError, match="k=0: wanted at least 1 new track"):
        scorer.recommend(np.array([0]), 0)
    with pytest.raises(SearchError, match="k=0: wanted at least 1 listener"):
        scorer.audience(vectors[0], 0)
    empty = csr_array((2, len(style)), dtype=np.float32)
    with pytest.raises(SearchError, match="2 listeners have no plays"):
        ColdStartScorer(vectors, empty, groups)
    with pytest.raises(SearchError, match="all 240 tracks with an embedding have been played; none is new"):
        _ = ColdStartScorer(vectors, plays, groups, np.ones(len(vectors), bool)).new


def test_catalog_of_three_tracks():
    plays = csr_array(np.array([[1, 1, 0]], np.float32))
    rows, _ = ColdStartScorer(np.eye(3, 16, dtype=np.float32), plays, np.arange(3)).recommend(np.array([0]), 10)
    assert rows.tolist() == [[2]]


def test_item_features_bring_tracks_with_the_same_name_closer():
    vectors, _ = styles(n_styles=2, n_each=2)
    none = np.array(["", "", "", ""])
    assert np.allclose(item_features(vectors, none, none)[:, :16], vectors, atol=1e-6)
    named = item_features(vectors, np.array(["A", "B", "A", ""]), none)
    sound = vectors @ vectors.T
    cosine = named @ named.T
    assert np.allclose(np.diag(cosine), 1, atol=1e-5)
    assert cosine[0, 2] == pytest.approx((sound[0, 2] + NAME_WEIGHT**2) / (1 + NAME_WEIGHT**2), abs=1e-5)
    assert np.array_equal(named, item_features(vectors, np.array(["A", "B", "A", ""]), none))
