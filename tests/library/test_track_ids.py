"""IDs are found whatever their width, order and alphabet, and only if they are there."""

import numpy as np
import pyarrow as pa
import pytest

from audioae.library.track_ids import TrackIds, fixed_width

HEX = [f"{value:016x}" for value in np.random.default_rng(0).integers(0, 2**63, 5000).tolist()]
MIXED = ["b", "a", "aa", "track/10", "track/9", "für élise", "曲", "z" * 300]


@pytest.mark.parametrize("ids", [HEX, MIXED], ids=["hexadecimal", "mixed widths"])
def test_finds_the_row_of_every_id(ids: list[str]):
    found = TrackIds(pa.array(ids))
    assert found.rows_of(ids).tolist() == list(range(len(ids)))
    assert [found.row_of(track_id) for track_id in ids[:8]] == list(range(min(8, len(ids))))


@pytest.mark.parametrize("unknown", ["", "0", "a\0", "zz", "z" * 299, "z" * 301, "A", "für"])
def test_unknown_ids_have_no_row(unknown: str):
    ids = TrackIds(pa.array(MIXED))
    assert (ids.row_of(unknown), ids.rows_of([unknown]).tolist()) == (-1, [-1])


def test_a_longer_id_is_not_taken_for_its_beginning():
    ids = TrackIds(pa.array(["abc", "abd"]))
    assert ids.rows_of(["abcd", "abc"]).tolist() == [-1, 0]


def test_an_empty_catalog_knows_no_id():
    assert TrackIds(pa.array([], pa.string())).rows_of(["a"]).tolist() == [-1]


def test_slices_of_a_column_are_read_from_their_own_offset():
    column = pa.array(["xx", "yy", "zz", "long"])
    assert fixed_width(column.slice(1, 2)).tolist() == [b"yy", b"zz"]
    assert TrackIds(column.slice(2, 2)).rows_of(["zz", "long", "xx"]).tolist() == [0, 1, -1]
