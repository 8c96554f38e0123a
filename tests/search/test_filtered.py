"""A filtered search returns allowed rows only, as many as exist, and nearly all of the nearest."""

from pathlib import Path

import numpy as np
import pytest

from audioae.search import filtered
from audioae.search.factory import FAMILIES, IndexConfig
from audioae.search.index import SearchIndex
from audioae.search.recall import exact_neighbors, recall_at_k
from tests.search.made import clustered

FACTORIES = [family.template.format(dim=128) for family in FAMILIES] + ["HNSW32"]


@pytest.fixture(scope="module", params=FACTORIES)
def index(request, table) -> SearchIndex:
    return SearchIndex.build(table, IndexConfig(factory=request.param, n_queries=400))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("limit", [filtered.EXACT_UP_TO, 0])
def test_recall_among_random_tracks(index: SearchIndex, table, share: float, limit: int, monkeypatch):
    monkeypatch.setattr(filtered, "EXACT_UP_TO", limit)
    allowed = np.sort(np.random.default_rng(0).choice(len(index), int(share * len(index)), replace=False))
    embeddings, queries = table.embeddings[table.rows_of(index.ids.take(allowed))], clustered(100, seed=9)
    scores, rows = index.search(queries, 10, allowed)
    assert np.isin(rows, allowed).all()
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    truth_scores, truth = exact_neighbors(embeddings, queries, 40)
    recall, error = recall_at_k(rows, (truth_scores, np.where(truth < 0, -1, allowed[truth])))
    assert recall + 2 * error >= 0.95


def test_recall_far_from_the_queries(index: SearchIndex, table):
    """A filter may select distant tracks only: here the most distant tenth."""
    queries = clustered(100, seed=9)
    embeddings = table.embeddings[table.rows_of(index.ids)]
    allowed = np.sort(np.argsort(embeddings @ queries.mean(axis=0))[: len(index) // 10])
    scores, truth = exact_neighbors(embeddings[allowed], queries, 40)
    recall, error = recall_at_k(index.search(queries, 10, allowed)[1], (scores, allowed[truth]))
    assert recall + 2 * error >= 0.95


@pytest.mark.parametrize("limit", [filtered.EXACT_UP_TO, 0])
def test_all_allowed_rows_come_back_if_k_is_larger(index: SearchIndex, limit: int, monkeypatch):
    monkeypatch.setattr(filtered, "EXACT_UP_TO", limit)
    for allowed in (np.array([5]), np.array([7, 3, 7_999]), np.arange(0, 8_000, 300), np.array([], np.int64)):
        scores, rows = index.search(clustered(2, seed=8), 30, allowed)
        assert rows.shape == scores.shape == (2, 30)
        for hits in rows:
            assert sorted(hits[hits >= 0]) == sorted(allowed)
        assert np.isneginf(scores[rows < 0]).all()


def test_embeddings_are_those_that_were_added(index: SearchIndex, table):
    rows = np.array([0, 17, 7_999, 17])
    embeddings = index.embeddings(rows)
    wanted = table.embeddings[table.rows_of(index.ids.take(rows))]
    cosines = (embeddings * wanted).sum(axis=1) / np.linalg.norm(embeddings, axis=1)
    assert cosines.min() > (0.999 if "RaBitQ" not in index.factory else 0.8)
    assert np.array_equal(embeddings, wanted) == index.keeps_embeddings


def test_saving_changes_neither_the_file_nor_later_answers(index: SearchIndex, tmp_path: Path):
    """An index used to drop its table of rows when it was saved, while another thread might need it."""
    before = index.embeddings(np.array([1]))
    contents = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        contents.append([path.read_bytes() for path in index.save(tmp_path / str(number)).values()])
        assert np.array_equal(index.embeddings(np.array([1])), before)
    assert contents[0] == contents[1]
