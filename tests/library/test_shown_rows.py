"""Records are JSON of what the catalog holds, whatever the texts, blocks, nulls and offsets."""

import json

import numpy as np
import pyarrow as pa
import pytest

from audioae.library.shown_rows import SCHEMA, SHOWN, ShownRows, shown_records

HARD = [
    "plain",
    None,
    "",
    'say "so"',
    "back\\slash",
    "tab\tline\nend",
    "\x00\x1f\x7f",
    "für 曲 🎵",
    "\u2028",
    "caf\\xe9",
]
rng = np.random.default_rng(0)
TABLE = pa.table({name: pa.array(rng.choice(np.array(HARD, object), 200).tolist(), pa.string()) for name in SHOWN})


def shown(blocks: list[pa.RecordBatch]) -> ShownRows:
    return ShownRows(pa.Table.from_batches([shown_records(block) for block in blocks], SCHEMA))


@pytest.mark.parametrize(("start", "size"), [(0, 200), (7, 150), (3, 1), (0, 0)])
@pytest.mark.parametrize("per_block", [200, 17])
def test_records_are_what_the_catalog_holds(start: int, size: int, per_block: int):
    table = TABLE.slice(start, size)
    rows = rng.permutation(size).tolist()
    blocks = table.to_batches(max_chunksize=per_block)
    wanted = [table.to_pylist()[row] for row in rows]
    assert shown(blocks).texts(rows) == wanted
    assert [json.loads(b'{"rank":1,' + record) for record in shown(blocks).records(rows)] == [
        {"rank": 1, **row} for row in wanted
    ]


def test_blocks_without_rows_are_no_obstacle():
    blocks = [*TABLE.slice(0, 3).to_batches(), TABLE.to_batches()[0].slice(0, 0), *TABLE.slice(3, 4).to_batches()]
    assert shown(blocks).texts(range(7)) == TABLE.slice(0, 7).to_pylist()


def test_a_column_that_an_old_catalog_does_not_have_is_null():
    (block,) = TABLE.select(["track_id", "uri"]).slice(0, 4).to_batches()
    assert shown([block]).texts([2]) == [{**dict.fromkeys(SHOWN), **block.to_pylist()[2]}]
