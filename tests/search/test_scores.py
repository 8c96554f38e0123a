"""Scores are cosines: on every path through a search they equal those computed from the embeddings.

Exact scores differ from NumPy's only by the rounding of float32. Scores from codes also differ by the quantization; the
limits below bound the difference.
"""

import numpy as np
import pytest

from audioae.search import filtered
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from tests.search.made import FACTORIES, clustered

ROUNDING = (2e-6, 2e-6)
LIMITS = {  # of the difference from the exact cosine: 99 of 100 scores, all scores
    "Flat": ROUNDING,
    "HNSW32": ROUNDING,
    "IVF64,SQ8": (0.006, 0.04),
    "IVF64,PQ64x4fs": (0.3, 0.4),
    "IVF64,PQ128x4fs,RFlat": ROUNDING,
    "IVF64,PQ128x4fs,Refine(SQ8)": (0.006, 0.04),
    "OPQ64,IVF64,PQ64x4fs,RFlat": ROUNDING,
    "RR,IVF64,RaBitQ5": (0.01, 0.03),
}
MANY, ONE = clustered(300, seed=9), clustered(1, seed=10)


@pytest.fixture(scope="module", params=FACTORIES)
def index(request, table) -> SearchIndex:
    return SearchIndex.build(table, IndexConfig(factory=request.param, n_queries=400, train_size=6_000))


def differences(index: SearchIndex, table, queries: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
    """Distance of each score from the exact cosine, in float64."""
    scores, rows = index.search(queries, k, allowed)
    assert (rows >= 0).all()
    embeddings = table.embeddings[table.rows_of(index.ids)].astype(np.float64)
    unit = queries / np.linalg.norm(queries.astype(np.float64), axis=1, keepdims=True)
    return np.abs(scores - np.einsum("qkd,qd->qk", embeddings[rows], unit))


@pytest.mark.parametrize("queries", [ONE, MANY[:8], MANY, 17 * MANY[:8]], ids=["one", "few", "many", "not unit"])
@pytest.mark.parametrize("share", [None, 0.001, 0.01, 0.5])
@pytest.mark.parametrize("exact_up_to", [filtered.EXACT_UP_TO, 0])
def test_scores_are_exact_cosines(index: SearchIndex, table, queries, share, exact_up_to, monkeypatch):
    """Without a filter and with one, by comparing all allowed rows and by walking through the index."""
    monkeypatch.setattr(filtered, "EXACT_UP_TO", exact_up_to)
    size = int((share or 1) * len(index))
    allowed = None if share is None else np.sort(np.random.default_rng(0).choice(len(index), size, replace=False))
    errors = differences(index, table, queries, min(10, size), allowed)
    most, worst = LIMITS[index.factory]
    assert np.quantile(errors, 0.99) <= most or errors.size < 100
    assert errors.max() <= worst


@pytest.mark.parametrize("allowed", [None, np.arange(0, 8_000, 2)], ids=["unfiltered", "filtered"])
def test_scores_of_a_completed_search_are_exact_cosines(table, allowed):
    """With k this large, one probe or a short walk finds too few rows, and the search goes on over the whole index."""
    for factory, fixed in (("IVF64,PQ128x4fs,RFlat", {"nprobe": 1}), ("HNSW32", {"ef_search": 10})):
        index = SearchIndex.build(table, IndexConfig(factory=factory, n_queries=40, train_size=6_000, **fixed))
        assert differences(index, table, MANY[:2], 3_000, allowed).max() <= ROUNDING[1]


def test_a_track_has_score_one_with_itself(index: SearchIndex, table):
    scores, rows = index.search(table.embeddings[:200], 1)
    correct = table.rows_of(index.ids.take(rows[:, 0])) == np.arange(200)
    most, worst = LIMITS[index.factory]
    assert correct.mean() > (0.95 if most < 0.1 else 0.5)
    assert np.abs(scores[correct] - 1).max() <= max(worst, ROUNDING[1])
