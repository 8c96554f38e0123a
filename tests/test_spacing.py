"""`evenly_spaced`: distinct ascending positions over the whole range."""

import numpy as np
import pytest

from audioae.spacing import evenly_spaced


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100, 101])
@pytest.mark.parametrize("k", [0, 1, 2, 5, 7, 99, 100, 1000])
def test_positions_are_distinct_ascending_and_equally_far_apart(n: int, k: int):
    positions = evenly_spaced(n, k)
    assert positions.dtype == np.int64
    assert len(positions) == min(n, k)
    assert ((positions >= 0) & (positions < n)).all()
    if len(positions) > 1:
        gaps = np.diff([*positions, n])
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("n", [2, 7, 100, 101])
@pytest.mark.parametrize("k", [2, 5, 7, 99])
def test_ends_are_included_on_request(n: int, k: int):
    positions = evenly_spaced(n, k, ends=True)
    assert (positions[0], positions[-1]) == (0, n - 1)
    assert len(set(positions.tolist())) == min(n, k)
    assert np.ptp(np.diff(positions)) <= 1


def test_none_and_more_than_there_are_give_all():
    assert evenly_spaced(4).tolist() == evenly_spaced(4, 9).tolist() == [0, 1, 2, 3]


def test_ten_billion_positions_do_not_overflow():
    assert evenly_spaced(10**10, 10)[-1] == 9 * 10**9


@pytest.mark.parametrize(("n", "k"), [(-1, 2), (3, -1)])
def test_rejects_negative_numbers(n: int, k: int):
    with pytest.raises(ValueError, match=f"got n={n}, k={k}"):
        evenly_spaced(n, k)
