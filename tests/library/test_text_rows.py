"""Texts of many rows are what Arrow says they are, whatever the blocks, nulls and offsets."""

import numpy as np
import pyarrow as pa
import pytest

from audioae.library.text_rows import FEW, TextRows

TABLE = pa.table(
    {
        "some": pa.array(["a", None, "", "für 曲", None, "b"] * 10),
        "all": pa.array([f"text {i}" for i in range(60)]),
        "none": pa.nulls(60, pa.string()),
    }
)
CHUNKED = pa.concat_tables([TABLE.slice(3, 20), TABLE.slice(0, 0), TABLE.slice(50), TABLE.slice(1, 1)])


@pytest.mark.parametrize("table", [TABLE, TABLE.slice(7), CHUNKED], ids=["whole", "slice", "blocks"])
@pytest.mark.parametrize("n", [0, 1, FEW, FEW + 1, 500])
def test_texts_are_those_of_arrow(table: pa.Table, n: int):
    names = ["all", "some", "none"]
    rows = np.random.default_rng(n).integers(table.num_rows, size=n).tolist()
    wanted = [tuple(row[name] for name in names) for row in table.take(pa.array(rows, pa.int64())).to_pylist()]
    assert TextRows(table, names).take(rows) == wanted


def test_a_table_may_be_empty():
    assert TextRows(TABLE.slice(0, 0), ["all"]).take([]) == []
