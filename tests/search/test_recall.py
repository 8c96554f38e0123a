"""Exact neighbors against a full sort, and recall against values computed by hand."""

import numpy as np
import pytest

from audioae.search.recall import exact_neighbors, merge_neighbors, recall_at_k
from tests.search.made import clustered


def plain_neighbors(embeddings: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    scores = queries.astype(np.float64) @ embeddings.astype(np.float64).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("n", [1, 5, 63, 64, 65, 700, 5_003])
@pytest.mark.parametrize("k", [1, 10, 100])
def test_rows_are_those_of_a_full_sort(n: int, k: int):
    embeddings, queries = clustered(n, seed=1), clustered(7, seed=2)
    scores, rows = exact_neighbors(embeddings, queries, k)
    wanted = plain_neighbors(embeddings, queries, k)
    assert scores.dtype == np.float32
    assert rows.dtype == np.int64
    assert rows.shape == scores.shape == (7, k)
    assert np.array_equal(rows[:, : min(n, k)], wanted)
    exact = np.take_along_axis(queries @ embeddings.T, wanted, 1)
    assert np.allclose(scores[:, : min(n, k)], exact, atol=1e-6)


def test_more_queries_than_one_block(monkeypatch):
    monkeypatch.setattr("audioae.search.recall.QUERY_BLOCK", 300)
    embeddings = clustered(2_000, seed=1)
    rows = exact_neighbors(embeddings, embeddings, 3)[1]
    assert np.array_equal(rows, plain_neighbors(embeddings, embeddings, 3))


def test_missing_neighbors_are_row_minus_one():
    scores, rows = exact_neighbors(np.eye(2, 128, dtype=np.float32), np.eye(1, 128, dtype=np.float32), 4)
    assert rows.tolist() == [[0, 1, -1, -1]]
    assert scores.tolist() == [[1.0, 0.0, -np.inf, -np.inf]]
    assert exact_neighbors(np.empty((0, 128), np.float32), np.eye(1, 128, dtype=np.float32), 2)[1].tolist() == [
        [-1, -1]
    ]


def test_equal_embeddings_come_in_the_order_of_their_rows():
    embeddings = np.zeros((3_000, 128), np.float32)
    embeddings[:, 0] = 1
    assert exact_neighbors(embeddings, embeddings[:3], 5)[1].tolist() == [[0, 1, 2, 3, 4]] * 3


def test_ties_at_the_last_place_go_to_the_first_rows():
    """Rows 0 to 9 are tied, and row 20, which is better, comes last."""
    embeddings = np.zeros((30, 128), np.float32)
    embeddings[:10, 0], embeddings[10:20, 2], embeddings[20:, 3] = 1, 1, 1
    embeddings[20, :2] = np.array([3, 4]) / 5
    embeddings[20, 3] = 0
    query = embeddings[20:21]
    for n_queries in (1, 40):
        scores, rows = exact_neighbors(embeddings, query.repeat(n_queries, axis=0), 5)
        assert rows.tolist() == [[20, 0, 1, 2, 3]] * n_queries
        assert np.allclose(scores, [1, 0.6, 0.6, 0.6, 0.6])


def test_merged_neighbors_of_blocks_are_the_neighbors_of_all_rows():
    embeddings, queries = clustered(1_500, seed=1), clustered(20, seed=2)
    one = exact_neighbors(embeddings[:700], queries, 10)
    scores, rows = exact_neighbors(embeddings[700:], queries, 10)
    assert np.array_equal(merge_neighbors(one, (scores, rows + 700))[1], exact_neighbors(embeddings, queries, 10)[1])


TRUTH = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32), np.array([[4, 2, 9, 1]])


@pytest.mark.parametrize(
    ("hits", "recall"),
    [([4, 2], 1.0), ([2, 4], 1.0), ([4, 9], 0.5), ([9, 1], 0.0), ([4, -1], 0.5), ([-1, -1], 0.0)],
)
def test_recall_counts_the_true_neighbors(hits: list[int], recall: float):
    assert recall_at_k(np.array([hits]), TRUTH)[0] == recall


def test_any_of_equal_neighbors_counts():
    truth = np.array([[0.9, 0.8, 0.8, 0.8, 0.3]], np.float32), np.array([[4, 2, 9, 1, 5]])
    assert recall_at_k(np.array([[4, 1]]), truth)[0] == 1.0
    assert recall_at_k(np.array([[4, 5]]), truth)[0] == 0.5


def test_a_query_whose_ties_do_not_end_is_excluded():
    scores, rows = np.full((2, 4), 0.5, np.float32), np.arange(8).reshape(2, 4)
    scores[1, 2:] = 0.1
    assert recall_at_k(np.array([[70, 71], [4, 70]]), (scores, rows)) == (0.5, 0.0)
    assert recall_at_k(np.array([[70, 71]]), (scores[:1], rows[:1])) == (1.0, 0.0)


def test_recall_is_one_if_all_of_too_few_neighbors_are_found():
    truth = np.array([[0.9, -np.inf, -np.inf]], np.float32), np.array([[0, -1, -1]])
    assert recall_at_k(np.array([[0, -1, -1]]), truth)[0] == 1.0


def test_standard_error_is_that_of_the_mean():
    hits = np.array([[4, 2], [4, 70], [4, 2], [70, 71]])
    truth = np.repeat(TRUTH[0], 4, 0), np.repeat(TRUTH[1], 4, 0)
    recall, error = recall_at_k(hits, truth)
    assert recall == 0.625
    assert error == pytest.approx(np.std([1, 0.5, 1, 0], ddof=1) / 2)
