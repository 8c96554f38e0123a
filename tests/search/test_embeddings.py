"""EmbeddingTable: what it accepts, what it rejects, and its messages."""

import numpy as np
import pyarrow as pa
import pytest

from audioae.errors import SearchError
from audioae.search.embeddings import EmbeddingTable

UNIT = np.eye(4, 128, dtype=np.float32)
IDS = ["a", "b", "c", "d"]


def arrow_table(embeddings: np.ndarray, ids: list[str]) -> pa.Table:
    column = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), 128)
    return pa.table({"track_id": ids, "embedding": column})


def test_from_arrow_shares_the_memory_of_the_column():
    source = arrow_table(UNIT, IDS)
    table = EmbeddingTable.from_arrow(source, "model@1")
    assert np.array_equal(table.embeddings, UNIT)
    values = source["embedding"].chunk(0).values.to_numpy()
    assert np.shares_memory(table.embeddings, values)


def test_from_arrow_reads_slices_and_chunks():
    source = arrow_table(UNIT, IDS)
    sliced = EmbeddingTable.from_arrow(source.slice(1, 2), "model@1")
    assert sliced.track_ids.to_pylist() == ["b", "c"]
    assert np.array_equal(sliced.embeddings, UNIT[1:3])
    chunked = pa.concat_tables([source.slice(2), source.slice(0, 2)])
    assert np.array_equal(EmbeddingTable.from_arrow(chunked, "model@1").embeddings, UNIT[[2, 3, 0, 1]])


def test_from_arrow_reads_an_empty_table():
    assert len(EmbeddingTable.from_arrow(arrow_table(UNIT, IDS).slice(0, 0), "model@1")) == 0


def test_from_arrow_names_missing_and_wrong_columns():
    with pytest.raises(SearchError, match=r"without column \['embedding'\]"):
        EmbeddingTable.from_arrow(pa.table({"track_id": IDS}), "model@1")
    with pytest.raises(SearchError, match="wanted fixed_size_list"):
        EmbeddingTable.from_arrow(pa.table({"track_id": IDS, "embedding": UNIT.tolist()}), "model@1")


def test_float64_and_strided_input_become_contiguous_float32():
    table = EmbeddingTable(IDS, np.eye(128, 8)[:, ::2].T, "model@1")
    assert table.embeddings.dtype == np.float32
    assert table.embeddings.flags.c_contiguous


def test_rows_of_finds_rows_and_names_unknown_tracks():
    table = EmbeddingTable(np.array(IDS), UNIT, "model@1")
    assert table.row_of("c") == 2
    assert table.rows_of(["d", "a", "d"]).tolist() == [3, 0, 3]
    with pytest.raises(SearchError, match=r"no embedding of 'x' among the 4 of model@1"):
        table.rows_of(["a", "x"])


def test_take_without_and_blocks_keep_ids_and_embeddings_together():
    table = EmbeddingTable(IDS, UNIT, "model@1")
    assert table.take(np.array([3, 1])).track_ids.to_pylist() == ["d", "b"]
    left = table.without(pa.array(["a", "c"]))
    assert left.track_ids.to_pylist() == ["b", "d"]
    assert np.array_equal(left.embeddings, UNIT[[1, 3]])
    blocks = list(table.blocks(3))
    assert [len(block) for block in blocks] == [3, 1]
    assert np.array_equal(EmbeddingTable.concat(blocks).embeddings, UNIT)


def test_concat_rejects_other_models_and_duplicate_ids():
    one, other = EmbeddingTable(["a"], UNIT[:1], "model@1"), EmbeddingTable(["b"], UNIT[1:2], "model@2")
    with pytest.raises(SearchError, match="different models cannot be compared: model@1, model@2"):
        EmbeddingTable.concat([one, other])
    with pytest.raises(SearchError, match="duplicate track IDs: 'a'"):
        EmbeddingTable.concat([one, one])
    with pytest.raises(SearchError, match="no tables"):
        EmbeddingTable.concat([])


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "NaN or infinity: 'c'"), (np.inf, "NaN or infinity: 'c'"), (0.0, "norm 0 to 0, wanted 1: 'c'")],
)
def test_bad_values_are_rejected_and_the_tracks_named(value: float, message: str):
    embeddings = UNIT.copy()
    embeddings[2] = value
    with pytest.raises(SearchError, match=message):
        EmbeddingTable(IDS, embeddings, "model@1")


def test_only_the_first_bad_tracks_are_listed():
    with pytest.raises(SearchError, match=r"'e' and 15 more"):
        EmbeddingTable([*"abcdefghijklmnopqrst"], np.zeros((20, 128)), "model@1")


@pytest.mark.parametrize(
    ("ids", "embeddings", "model", "message"),
    [
        (["a", "b"], UNIT, "model@1", r"shape \(4, 128\) for 2 track IDs"),
        (IDS, UNIT[0], "model@1", r"shape \(128,\)"),
        (["a", "b", "b", "a"], UNIT, "model@1", "duplicate track IDs: 'a', 'b'"),
        (["a", None, "b", "c"], UNIT, "model@1", "1 of 4 are null"),
        (IDS, UNIT, "", "without the name of their model"),
    ],
)
def test_bad_tables_are_rejected(ids: list, embeddings: np.ndarray, model: str, message: str):
    with pytest.raises(SearchError, match=message):
        EmbeddingTable(ids, embeddings, model)
