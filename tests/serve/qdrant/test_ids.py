"""Point IDs and track_ids, in both directions."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from audioae.serve.qdrant.ids import PointId, point_id_of, track_id_of

POINT_ID = TypeAdapter(PointId)


@given(st.integers(0, 2**64 - 1) | st.text(min_size=1))
@example("000002")
@example("b36df8f65ba0489b")
@example("B36DF8F65BA0489B")
@example("0000000000000000")
def test_a_track_id_comes_back(value: int | str):
    track_id = f"{value:016x}" if isinstance(value, int) else value
    assert track_id_of(point_id_of(track_id)) == track_id


def test_the_track_ids_that_audioae_makes_are_integers():
    assert point_id_of("b36df8f65ba0489b") == 0xB36DF8F65BA0489B
    assert point_id_of("ffffffffffffffff") == 2**64 - 1


@pytest.mark.parametrize("track_id", ["B36DF8F65BA0489B", "36df8f65ba0489b", "t00", "12", "b36df8f65ba0489b0"])
def test_other_track_ids_are_themselves(track_id: str):
    assert point_id_of(track_id) == track_id


def test_a_request_may_give_the_track_id_itself():
    assert track_id_of("b36df8f65ba0489b") == track_id_of(0xB36DF8F65BA0489B)


@pytest.mark.parametrize("value", [0, 2**64 - 1, "a", "6b3a8e6c-9d61-4a3c-8f31-0e8ef8f0a111"])
def test_integers_and_texts_are_point_ids(value: int | str):
    assert POINT_ID.validate_python(value) == value


@pytest.mark.parametrize("value", [-1, 2**64, 1.5, True, "", "x" * 201, [1], {"num": 1}, "\ud800"])
def test_anything_else_is_not(value: object):
    with pytest.raises(ValidationError):
        POINT_ID.validate_python(value)
