"""Cells are what Arrow says they are, whatever the column's type, nulls and offset."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from audioae.library.columns import FEW, Cells, TextColumn, one_chunk

TIME = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
TABLE = pa.table(
    {
        "text": pa.array(["a", None, "", "für 曲"]),
        "year": pa.array([1999, None, 0, -5], pa.int32()),
        "seconds": pa.array([1.5, None, 0.0, 2.25], pa.float64()),
        "time": pa.array([TIME, None, TIME, TIME], pa.timestamp("us", "UTC")),
        "nothing": pa.nulls(4, pa.string()),
        "bytes": pa.array([b"caf\xe9", None, b"", b"a"]),
        "list": pa.array([["a", "b"], None, [], ["c"]]),
    }
)


def test_rows_are_those_of_arrow():
    cells = Cells(TABLE)
    assert [cells.row(i) for i in range(4)] == TABLE.to_pylist()
    assert cells.texts["text"][3] == "für 曲"


def test_several_chunks_are_joined():
    table = pa.concat_tables([TABLE.slice(2), TABLE.slice(0, 1)])
    assert [Cells(table).row(i) for i in range(3)] == table.to_pylist()
    assert one_chunk(TABLE.slice(4)["text"]).to_pylist() == []


def test_a_slice_is_read_from_its_own_offset():
    column = one_chunk(TABLE["text"]).slice(1, 3)
    text = TextColumn(column)
    assert [text[i] for i in range(3)] == column.to_pylist()


@pytest.mark.parametrize("n", [0, FEW, FEW + 1])
@pytest.mark.parametrize("name", ["text", "nothing"])
def test_many_texts_are_those_of_arrow_however_many(name: str, n: int):
    column = one_chunk(TABLE[name]).slice(1)
    rows = np.random.default_rng(n).integers(len(column), size=n).tolist()
    assert TextColumn(column).take(rows) == [column[row].as_py() for row in rows]


@pytest.mark.parametrize("n", [5, FEW + 40])
def test_texts_of_several_chunks_are_those_of_arrow(n: int):
    column = pa.chunked_array([one_chunk(TABLE["text"]), pa.array([], pa.string()), pa.array(["x", None, "yz"])])
    rows = np.random.default_rng(n).integers(len(column), size=n).tolist()
    assert TextColumn(column).take(rows) == [column[row].as_py() for row in rows]


def test_rows_outside_the_column_are_refused():
    with pytest.raises(IndexError):
        Cells(TABLE).texts["text"][4]
    assert np.all([Cells(TABLE).row(0)["year"] == 1999])
