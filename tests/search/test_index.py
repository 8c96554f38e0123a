"""Every kind of index against exact search; the artifact; corner cases."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioae.config import load_config
from audioae.errors import SearchError
from audioae.search.factory import FAMILIES, Family, IndexConfig
from audioae.search.index import SearchIndex
from audioae.search.recall import exact_neighbors, recall_at_k
from tests.search.made import clustered, make_table

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "index").glob("*.yaml"))
QUICK = {"n_queries": 400, "train_size": 6_000}


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda path: path.stem)
def built(request, table) -> tuple[SearchIndex, IndexConfig]:
    config = load_config(IndexConfig, request.param, [f"{key}={value}" for key, value in QUICK.items()])
    return SearchIndex.build(table, config), config


def test_every_config_finds_the_neighbors_of_new_tracks(built, table):
    index, config = built
    queries = clustered(300, seed=9)
    truth_scores, truth_rows = exact_neighbors(table.embeddings, queries, 10)
    scores, rows = index.search(queries, 10)
    assert scores.dtype == np.float32
    assert rows.dtype == np.int64
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    table_rows = table.rows_of(index.ids.take(pa.array(rows.ravel()))).reshape(rows.shape)
    recall, error = recall_at_k(table_rows, (truth_scores, truth_rows))
    assert recall + 3 * error >= config.min_recall
    cosines = np.einsum("qkd,qd->qk", table.embeddings[table_rows], queries)
    assert np.quantile(np.abs(scores - cosines), 0.99) < 0.01


def test_every_config_holds_every_track_once_and_says_what_it_is(built, table):
    index, config = built
    assert sorted(index.ids.to_pylist()) == sorted(table.track_ids.to_pylist())
    assert len(index) == len(table)
    assert index.model == table.model
    assert index.measured["held_out"]
    assert index.measured["recall"] >= config.min_recall - 0.02
    assert index.reason


def test_every_config_survives_storing(built, table):
    index, _ = built
    loaded = SearchIndex.from_files(index.to_files())
    queries = table.embeddings[:50]
    assert all(np.array_equal(a, b) for a, b in zip(loaded.search(queries, 10), index.search(queries, 10), strict=True))
    assert loaded.ids.equals(index.ids)
    assert (loaded.parameters, loaded.measured, loaded.factory) == (index.parameters, index.measured, index.factory)


def test_every_config_builds_the_same_bytes_again(built, table):
    index, config = built
    assert SearchIndex.build(table, config).to_files() == index.to_files()


def test_one_query_at_a_time_is_as_all_at_once(built, table):
    index, _ = built
    queries = table.embeddings[:20]
    together = index.search(queries, 5)[0]
    alone = np.concatenate([index.search(query[None], 5)[0] for query in queries])
    assert np.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.template)
def test_the_stated_bytes_per_vector_are_those_of_the_index(family: Family, table):
    stated = family.at(len(table), table.dim)
    index = SearchIndex.build(table, IndexConfig(factory=stated.factory, **QUICK))
    assert index.n_bytes() / len(index) == pytest.approx(stated.bytes_per_vector, rel=0.05)


def test_a_build_from_blocks_needs_no_table_and_finds_the_same(table):
    config = IndexConfig(factory="IVF64,SQ8", **QUICK)
    sample = table.take(np.random.default_rng(5).permutation(len(table))[:3_000])
    index = SearchIndex.build_blocks(table.blocks(1_500), sample, len(table), config)
    assert sorted(index.ids.to_pylist()) == table.track_ids.to_pylist()
    found = index.search(table.embeddings[:200], 1)[1][:, 0]
    assert np.mean(table.rows_of(index.ids.take(pa.array(found))) == np.arange(200)) > 0.95


def test_blocks_must_be_of_one_model_and_name_each_track_once(table):
    config, sample = IndexConfig(factory="Flat"), table.take(np.arange(100))
    other = make_table(table.embeddings[:100], model="model@other")
    with pytest.raises(SearchError, match="of model@other and of model@0123abcd cannot share an index"):
        SearchIndex.build_blocks([other], sample, 100, config)
    with pytest.raises(SearchError, match="got 150 embeddings of 100 tracks, wanted 200"):
        SearchIndex.build_blocks([sample, sample], sample, 200, config)
    with pytest.raises(SearchError, match="sample: got 100 tracks, wanted 2000 to ask for and more to train on"):
        SearchIndex.build_blocks([table], sample, len(table), config)


def test_an_index_with_the_ids_of_another_is_refused(table):
    files = SearchIndex.build(table, IndexConfig(factory="Flat", seed=0, n_queries=10)).to_files()
    others = SearchIndex.build(table, IndexConfig(factory="Flat", seed=1, n_queries=10)).to_files()
    with pytest.raises(SearchError, match=r"is not the one that ids.parquet was written with"):
        SearchIndex.from_files({"index.faiss": files["index.faiss"], "ids.parquet": others["ids.parquet"]})
    with pytest.raises(SearchError, match="is not the one"):
        SearchIndex.from_files({**files, "index.faiss": files["index.faiss"][:-1]})
    with pytest.raises(SearchError, match="not the IDs of an index"):
        SearchIndex.from_files({**files, "ids.parquet": b"garbage"})
    plain = io.BytesIO()
    pq.write_table(pa.table({"track_id": ["a"]}), plain)
    with pytest.raises(SearchError, match="not the IDs of an index"):
        SearchIndex.from_files({**files, "ids.parquet": plain.getvalue()})


@pytest.mark.parametrize("n", [1, 2, 3, 9, 70])
def test_small_tables_and_k_beyond_n(n: int):
    table = make_table(clustered(n, seed=4))
    for factory in ("auto", "HNSW32"):
        index = SearchIndex.build(table, IndexConfig(factory=factory))
        scores, rows = index.search(table.embeddings, n + 3)
        assert (np.sort(rows[:, :n], axis=1) == np.arange(n)).all()
        assert (rows[:, n:] == -1).all()
        assert np.isneginf(scores[:, n:]).all()
        assert index.ids.take(pa.array(rows[:, 0])).to_pylist() == table.track_ids.to_pylist()


@pytest.mark.parametrize("factory", ["Flat", "HNSW32", "IVF16,SQ8", "IVF16,PQ128x4fs,Refine(SQ8)", "RR,IVF16,RaBitQ5"])
def test_identical_embeddings_are_all_found(factory: str):
    index = SearchIndex.build(make_table(np.eye(1, 128).repeat(900, 0)), IndexConfig(factory=factory))
    scores, rows = index.search(np.eye(1, 128), 10)
    assert len(set(rows[0].tolist())) == 10
    assert (rows >= 0).all()
    assert np.abs(scores - 1).max() < 0.01
    assert index.measured["recall"] == 1.0


@pytest.mark.parametrize("factory", ["HNSW16", "IVF64,SQ8", "IVF64,PQ128x4fs,RFlat", "RR,IVF64,RaBitQ5"])
def test_a_search_that_comes_up_short_is_completed(factory: str, table):
    """k of all rows: one list or a short walk does not hold that many."""
    fixed = {"ef_search": 10} if "HNSW" in factory else {"nprobe": 1}
    index = SearchIndex.build(table.take(np.arange(2_000)), IndexConfig(factory=factory, **fixed, **QUICK))
    rows = index.search(table.embeddings[:2], 2_000)[1]
    assert (np.sort(rows, axis=1) == np.arange(2_000)).all()


def test_queries_may_be_of_any_length_and_layout(table):
    index = SearchIndex.build(table, IndexConfig(factory="IVF64,SQ8", **QUICK))
    queries = table.embeddings[:4]
    scores, rows = index.search(queries, 3)
    for same in (queries.astype(np.float64) * 17, np.asfortranarray(queries), np.repeat(queries, 2, axis=0)[::2]):
        assert np.array_equal(index.search(same, 3)[1], rows)
        assert np.allclose(index.search(same, 3)[0], scores, atol=1e-6)


def test_bad_queries_are_refused(table):
    index = SearchIndex.build(table.take(np.arange(50)), IndexConfig())
    with pytest.raises(SearchError, match=r"got shape \(128,\), wanted \(n_queries, 128\)"):
        index.search(table.embeddings[0], 3)
    with pytest.raises(SearchError, match=r"got shape \(1, 64\)"):
        index.search(np.ones((1, 64)), 3)
    with pytest.raises(SearchError, match=r"queries \[1\] are zero or not finite"):
        index.search(np.stack([table.embeddings[0], np.zeros(128)]), 3)
    with pytest.raises(SearchError, match=r"queries \[0\] are zero or not finite"):
        index.search(np.full((1, 128), np.nan), 3)
    with pytest.raises(SearchError, match="k=0"):
        index.search(table.embeddings[:1], 0)


def test_an_index_belongs_to_one_model(table):
    index = SearchIndex.build(table.take(np.arange(50)), IndexConfig())
    index.check_model(table.model)
    with pytest.raises(SearchError, match="this index is of model@0123abcd, the embeddings are of model@other"):
        index.check_model("model@other")


def test_nothing_and_too_little_to_build_from(table):
    with pytest.raises(SearchError, match="the table is empty"):
        SearchIndex.build(table.take(np.arange(0)), IndexConfig())
    with pytest.raises(SearchError, match=r"IVF64,SQ8 cannot be trained on 15 embeddings; set index.factory=auto"):
        SearchIndex.build(table.take(np.arange(20)), IndexConfig(factory="IVF64,SQ8"))
    with pytest.raises(SearchError, match="nprobe=8: HNSW32 has no such parameter"):
        SearchIndex.build(table, IndexConfig(factory="HNSW32", nprobe=8))
    with pytest.raises(SearchError, match="'IVF4,PQ77' cannot be made for 128 dimensions"):
        SearchIndex.build(table, IndexConfig(factory="IVF4,PQ77"))
