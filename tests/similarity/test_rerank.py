"""Seeds, hub correction, and the choice among candidates."""

import numpy as np
import pytest
import scipy.stats

from audioae.errors import SearchError
from audioae.metrics.hubness import occurrence
from audioae.similarity.rerank import choose, combine_seeds, correct_hubs
from tests.search.made import clustered


def test_one_seed_is_itself_whatever_its_weight():
    seed = clustered(1, seed=1)
    for weight in (0.1, 1, 7):
        assert np.allclose(combine_seeds(seed, [weight]), seed[0], atol=1e-6)


def test_a_score_is_the_weighted_mean_of_the_liked_less_half_that_of_the_disliked():
    liked, disliked, others = clustered(3, seed=1), clustered(2, seed=2), clustered(50, seed=3)
    query = combine_seeds(liked, [2, 1, 1], disliked, [3, 1])
    wanted = others @ liked.T @ [0.5, 0.25, 0.25] - 0.5 * others @ disliked.T @ [0.75, 0.25]
    assert np.linalg.norm(query) == pytest.approx(1, abs=1e-6)
    assert np.corrcoef(others @ query, wanted)[0, 1] == pytest.approx(1, abs=1e-5)


def test_a_disliked_seed_moves_the_answer_away_from_it():
    liked, disliked = np.eye(2, 8), (np.eye(8)[:1] + np.eye(8)[3]) / np.sqrt(2)
    with_it, without = combine_seeds(liked, [1, 1], disliked, [1]), combine_seeds(liked, [1, 1])
    assert with_it @ disliked[0] < without @ disliked[0]
    assert with_it[1] > with_it[0] > 0


@pytest.mark.parametrize("weight", [0, -1, np.nan, np.inf])
def test_a_weight_is_above_zero(weight: float):
    with pytest.raises(SearchError, match="wanted numbers above 0"):
        combine_seeds(np.eye(2), [1, weight])


def test_seeds_that_cancel_each_other():
    with pytest.raises(SearchError, match="cancel each other out"):
        combine_seeds(np.array([[1.0, 0], [-1, 0]]), [1, 1])


def test_hub_correction_spreads_exposure():
    """Points around a center and the center itself: that stands in every list, until it is corrected."""
    vectors = clustered(600, seed=5, n_artists=5) + 0.6 * clustered(1, seed=6)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    radii = np.sort(cosines - 2 * np.eye(600), axis=1)[:, -10:].mean(axis=1)
    corrected = correct_hubs(cosines, radii)
    np.fill_diagonal(corrected, -np.inf)
    lists = np.argsort(-corrected, axis=1)[:, :10]
    before, after = occurrence(vectors, 10), np.bincount(lists.ravel(), minlength=600)
    assert scipy.stats.skew(after) < scipy.stats.skew(before) * 0.6
    assert (after == 0).sum() < (before == 0).sum() / 2


def candidates(n: int = 40) -> dict:
    rng = np.random.default_rng(0)
    scores = np.sort(rng.uniform(size=n))[::-1]
    embeddings = clustered(n, seed=3, n_artists=4)
    return {"scores": scores, "groups": np.arange(n), "artists": rng.integers(4, size=n), "embeddings": embeddings}


def test_without_wishes_it_is_the_order_of_scores():
    made = candidates()
    made["scores"] = np.random.default_rng(1).permutation(made["scores"])
    assert choose(**made, k=40) == np.argsort(-made["scores"]).tolist()
    assert choose(**made, k=100) == choose(**made, k=40)
    empty = np.array([], int)
    assert choose(np.array([]), 3, groups=empty, artists=empty) == []


def test_a_group_is_in_the_answer_once_by_its_best():
    made = {**candidates(6), "groups": np.array([0, 0, 1, 1, 2, 0])}
    assert choose(**made, k=6) == [0, 2, 4]


def test_at_most_n_per_artist_and_the_unknown_do_not_count():
    made = candidates()
    taken = choose(**made, k=8, max_per_artist=2)
    assert sorted(np.bincount(made["artists"][taken])) == [2, 2, 2, 2]
    unknown = {**made, "artists": np.full(40, -1)}
    assert choose(**unknown, k=8, max_per_artist=1) == list(range(8))


def test_diversity_lowers_the_similarity_within_the_answer():
    made = candidates()
    within = []
    for diversity in (0, 0.3, 0.7, 1):
        taken = choose(**made, k=8, diversity=diversity)
        assert taken[0] == 0
        assert len(set(taken)) == 8
        cosines = made["embeddings"][taken] @ made["embeddings"][taken].T
        within.append(cosines[np.triu_indices(8, 1)].mean())
    assert within == sorted(within, reverse=True)
    assert within[-1] < within[0] - 0.1
