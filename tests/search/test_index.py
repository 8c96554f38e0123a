"""Every kind of index against exact search; its files; corner cases."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioae.config import load_config
from audioae.errors import SearchError
from audioae.search import engine
from audioae.search.factory import FAMILIES, Family, IndexConfig
from audioae.search.index import SearchIndex
from audioae.search.recall import exact_neighbors, recall_at_k
from tests.search.made import clustered, make_table, save_and_load

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


def test_every_config_holds_every_track_once_and_describes_itself(built, table):
    index, config = built
    assert sorted(index.ids.to_pylist()) == sorted(table.track_ids.to_pylist())
    assert len(index) == len(table)
    assert index.model == table.model
    assert index.measured["held_out"]
    assert index.measured["recall"] >= config.min_recall - 0.02
    assert index.reason


def test_every_config_answers_the_same_after_saving_and_loading(built, table, tmp_path: Path):
    index, _ = built
    loaded = save_and_load(index, tmp_path / "index")
    queries = table.embeddings[:50]
    assert all(np.array_equal(a, b) for a, b in zip(loaded.search(queries, 10), index.search(queries, 10), strict=True))
    assert loaded.ids.equals(index.ids)
    assert (loaded.parameters, loaded.measured, loaded.factory) == (index.parameters, index.measured, index.factory)
    assert loaded.n_bytes() == index.n_bytes() == (tmp_path / "index" / "index.faiss").stat().st_size


def test_every_config_builds_the_same_bytes_again(built, table, tmp_path: Path):
    index, config = built
    contents = []
    for number, one in enumerate((index, SearchIndex.build(table, config))):
        (tmp_path / str(number)).mkdir()
        contents.append([path.read_bytes() for path in one.save(tmp_path / str(number)).values()])
    assert contents[0] == contents[1]


def test_single_queries_give_the_scores_of_a_batch(built, table):
    index, _ = built
    queries = table.embeddings[:20]
    together = index.search(queries, 5)[0]
    alone = np.concatenate([index.search(query[None], 5)[0] for query in queries])
    assert np.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.template)
def test_the_stated_bytes_per_vector_match_the_index(family: Family, table):
    stated = family.at(len(table), table.dim)
    index = SearchIndex.build(table, IndexConfig(factory=stated.factory, **QUICK))
    assert index.n_bytes() / len(index) == pytest.approx(stated.bytes_per_vector, rel=0.05)


def test_an_index_built_from_blocks_holds_every_track(table):
    config = IndexConfig(factory="IVF64,SQ8", **QUICK)
    sample = table.take(np.random.default_rng(5).permutation(len(table))[:3_000])
    index = SearchIndex.build_blocks(table.blocks(1_500), sample, len(table), config)
    assert sorted(index.ids.to_pylist()) == table.track_ids.to_pylist()
    nearest = index.search(table.embeddings[:200], 1)[1][:, 0]
    assert np.mean(table.rows_of(index.ids.take(pa.array(nearest))) == np.arange(200)) > 0.95


def test_blocks_of_another_model_or_with_duplicate_tracks_are_rejected(table):
    config, sample = IndexConfig(factory="Flat"), table.take(np.arange(100))
    other = make_table(table.embeddings[:100], model="model@other")
    with pytest.raises(SearchError, match="of model@other and of model@0123abcd cannot share an index"):
        SearchIndex.build_blocks([other], sample, 100, config)
    with pytest.raises(SearchError, match="got 150 embeddings of 100 tracks, wanted 200"):
        SearchIndex.build_blocks([sample, sample], sample, 200, config)
    with pytest.raises(SearchError, match="sample: got 100 tracks, wanted 2000 for queries and more for training"):
        SearchIndex.build_blocks([table], sample, len(table), config)


def test_an_index_with_the_ids_of_another_is_rejected(table, tmp_path: Path):
    files = []
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        index = SearchIndex.build(table, IndexConfig(factory="Flat", seed=seed, n_queries=10))
        files.append([*index.save(tmp_path / str(seed)).values()])
    (vectors, ids), (_, other_ids) = files
    with pytest.raises(SearchError, match=r"is not the file that ids.parquet was written with"):
        SearchIndex.load(vectors, other_ids)
    with pytest.raises(SearchError, match="is not the file"):
        SearchIndex.load(vectors, ids, sha256="0" * 64)


def test_damaged_files_are_named(table, tmp_path: Path):
    vectors, ids = SearchIndex.build(table, IndexConfig(factory="IVF8,SQ8", **QUICK)).save(tmp_path).values()
    about = pq.read_schema(ids).metadata or {}
    content = vectors.read_bytes()
    vectors.write_bytes(content[:-1])
    with pytest.raises(SearchError, match=r"index.faiss .* is not the file that ids.parquet was written with"):
        SearchIndex.load(vectors, ids)
    vectors.write_bytes(content[: len(content) // 2])
    with pytest.raises(SearchError, match=r"index.faiss: not a readable FAISS index"):
        SearchIndex.load(vectors, ids, sha256=json.loads(about[b"audioae"])["sha256"])
    vectors.write_bytes(content)
    pq.write_table(pq.read_table(ids).slice(1), ids)
    with pytest.raises(SearchError, match=r"ids.parquet: 7999 IDs for 8000 rows of .*index.faiss"):
        SearchIndex.load(vectors, ids)
    for table_of_ids in (b"garbage", None):
        ids.write_bytes(table_of_ids) if table_of_ids else pq.write_table(pa.table({"track_id": ["a"]}), ids)
        with pytest.raises(SearchError, match="not the IDs of an index"):
            SearchIndex.load(vectors, ids)
    ids.unlink()
    with pytest.raises(SearchError, match="not the IDs of an index"):
        SearchIndex.load(vectors, ids)


def test_a_full_disk_is_reported(table):
    index = SearchIndex.build(table.take(np.arange(100)), IndexConfig())
    with pytest.raises(SearchError, match=r"/dev/full: the index cannot be written .*No space left.*free space"):
        engine.write(index._index, Path("/dev/full"))


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
def test_search_finds_all_identical_embeddings(factory: str):
    index = SearchIndex.build(make_table(np.eye(1, 128).repeat(900, 0)), IndexConfig(factory=factory))
    scores, rows = index.search(np.eye(1, 128), 10)
    assert len(set(rows[0].tolist())) == 10
    assert (rows >= 0).all()
    assert np.abs(scores - 1).max() < 0.01
    assert index.measured["recall"] == 1.0


@pytest.mark.parametrize("factory", ["HNSW16", "IVF64,SQ8", "IVF64,PQ128x4fs,RFlat", "RR,IVF64,RaBitQ5"])
def test_a_search_that_comes_up_short_is_completed(factory: str, table):
    """k is the number of rows: one list, or a short walk, does not contain that many."""
    fixed = {"ef_search": 10} if "HNSW" in factory else {"nprobe": 1}
    index = SearchIndex.build(table.take(np.arange(2_000)), IndexConfig(factory=factory, **fixed, **QUICK))
    rows = index.search(table.embeddings[:2], 2_000)[1]
    assert (np.sort(rows, axis=1) == np.arange(2_000)).all()


def test_length_and_memory_layout_of_queries_make_no_difference(table):
    index = SearchIndex.build(table, IndexConfig(factory="IVF64,SQ8", **QUICK))
    queries = table.embeddings[:4]
    scores, rows = index.search(queries, 3)
    for same in (queries.astype(np.float64) * 17, np.asfortranarray(queries), np.repeat(queries, 2, axis=0)[::2]):
        assert np.array_equal(index.search(same, 3)[1], rows)
        assert np.allclose(index.search(same, 3)[0], scores, atol=1e-6)


def test_bad_queries_are_rejected(table):
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


def test_embeddings_of_another_model_are_rejected(table):
    index = SearchIndex.build(table.take(np.arange(50)), IndexConfig())
    index.check_model(table.model)
    with pytest.raises(SearchError, match="this index is of model@0123abcd, the embeddings are of model@other"):
        index.check_model("model@other")


def test_too_few_embeddings_and_impossible_factories_are_rejected(table):
    with pytest.raises(SearchError, match="the table is empty"):
        SearchIndex.build(table.take(np.arange(0)), IndexConfig())
    with pytest.raises(SearchError, match=r"IVF64,SQ8 cannot be trained on 15 embeddings; set index.factory=auto"):
        SearchIndex.build(table.take(np.arange(20)), IndexConfig(factory="IVF64,SQ8"))
    with pytest.raises(SearchError, match="nprobe=8: HNSW32 has no such parameter"):
        SearchIndex.build(table, IndexConfig(factory="HNSW32", nprobe=8))
    with pytest.raises(SearchError, match="'IVF4,PQ77' cannot be made for 128 dimensions"):
        SearchIndex.build(table, IndexConfig(factory="IVF4,PQ77"))
