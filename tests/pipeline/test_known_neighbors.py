"""What is taken over from yesterday's index: mean cosines, and groups of near duplicates."""

import numpy as np
import pyarrow as pa
import pytest

from audioae.pipeline.known_neighbors import take_over
from audioae.store.manifest import Part

A, B, C = (
    Part(name=f"{name}.parquet", sha256=name, bytes=1, rows=rows) for name, rows in (("a", 3), ("b", 2), ("c", 4))
)


def neighborhood(groups: list[str | None], radius: list[float]) -> pa.Table:
    columns = {
        "track_id": [f"t{row}" for row in range(len(groups))],
        "radius": pa.array(radius, pa.float32()),
        "duplicate_group": pa.array(groups, pa.string()),
        "sameness": pa.array([None if group is None else 0.5 + 0.1 * row for row, group in enumerate(groups)]),
    }
    return pa.table(columns)


TABLE = neighborhood(["t0", None, "t0", "t0", None], [0.1, 0.2, 0.3, 0.4, 0.5])


def test_rows_move_with_their_parts():
    known = take_over(TABLE, 100, [A, B], [C, B, A])
    assert np.isnan(known.radius[:4]).all()
    assert known.radius[4:] == pytest.approx([0.4, 0.5, 0.1, 0.2, 0.3])
    assert sorted(known.pairs.tolist()) == [[4, 6], [6, 8]], "the first of the group is t0, now in row 6"
    assert known.among == 9


def test_a_group_whose_first_track_is_gone_has_another_first_track():
    known = take_over(neighborhood(["t0", None, None, "t0", "t0"], [0.5] * 5), 10, [A, B], [B])
    assert known.pairs.tolist() == [[0, 1]]
    assert known.similarities.tolist() == pytest.approx([0.9])


def test_a_track_that_is_left_alone_is_no_duplicate():
    assert take_over(TABLE, 10, [A, B], [B]).pairs.shape == (0, 2)


@pytest.mark.parametrize(("among", "known"), [(9, True), (8, False), (5, False)])
def test_what_was_measured_among_far_fewer_tracks_is_measured_again(among: int, known: bool):
    taken = take_over(TABLE, among, [A, B], [A, B, C])
    assert (~np.isnan(taken.radius)).any() == known
    assert taken.among == 9


def test_a_table_of_another_version_is_not_taken_over():
    assert np.isnan(take_over(TABLE, 100, [A], [A]).radius).all()


def test_a_part_with_other_content_is_new():
    changed = A.model_copy(update={"sha256": "other"})
    assert np.isnan(take_over(TABLE, 10, [A, B], [changed, B]).radius[:3]).all()
