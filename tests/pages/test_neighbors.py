"""Queries are spread over the labels; neighbors are sorted and never contain the query."""

import numpy as np
import pytest

from audioae.errors import EvaluationError
from audioae.pages.neighbors import choose_queries, nearest
from tests.pages.made import unit

N = 40
VECTORS = unit(np.random.default_rng(0).standard_normal((N, 16)))


def test_queries_are_spread_over_labels_and_repeatable():
    labels = np.array([f"l{i % 20:02d}" for i in range(200)] + ["alone", ""])
    queries = choose_queries(labels)
    assert queries == choose_queries(labels)
    assert len(set(labels[queries])) == 8
    assert {"alone", ""}.isdisjoint(labels[queries])


def test_few_labels_give_several_queries_each():
    few = choose_queries(np.array(["a", "b"] * 10))
    assert len(set(few)) == 8
    assert sum(row % 2 == 0 for row in few) == 4
    assert len(set(choose_queries(np.full(5, "")))) == 5


def test_nearest_excludes_the_query_and_sorts_by_cosine():
    (neighbors,) = nearest(VECTORS, [7], k=N)
    assert len(neighbors.rows) == N - 1
    assert 7 not in neighbors.rows
    assert list(neighbors.scores) == sorted(neighbors.scores, reverse=True)
    np.testing.assert_allclose(neighbors.scores, VECTORS[list(neighbors.rows)] @ VECTORS[7], rtol=1e-5)


def test_rejects_a_query_that_is_not_a_row():
    with pytest.raises(EvaluationError, match=r"queries \[40\]: got 40 tracks"):
        nearest(VECTORS, [40])
