"""The encoder works while the next blocks come, in order and with few blocks in memory."""

import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from audioae.pipeline.encoding import Encoder


def blocks(n: int, seconds: float, taken: list[int]) -> Iterator[pa.Table]:
    for i in range(n):
        time.sleep(seconds)
        taken.append(i)
        yield pa.table({"i": [i]})


def test_the_next_blocks_are_taken_while_one_is_embedded():
    taken: list[int] = []

    def wait_for_the_next(table: pa.Table) -> pa.Table:
        end = time.monotonic() + 30
        while len(taken) < min(table["i"][0].as_py() + 2, 20):
            assert time.monotonic() < end, "the next block was not taken"
            time.sleep(0.001)
        return table

    with Encoder(wait_for_the_next, 1) as encoder:  # two would begin in any order, and wait for each other
        results = list(encoder.map(blocks(20, 0.0, taken), beside_decoders=True))
    assert [table["i"][0].as_py() for table in results] == list(range(20))


def test_utilization_is_the_share_of_the_time_in_which_the_encoder_works():
    busy = []

    def embed(table: pa.Table) -> pa.Table:
        begin = time.monotonic()
        time.sleep(0.05)
        busy.append(time.monotonic() - begin)
        return table

    with Encoder(embed, 1) as encoder:
        assert encoder.utilization == 0.0
        begin = time.monotonic()
        list(encoder.map(blocks(10, 0.2, []), beside_decoders=True))
        wall = time.monotonic() - begin
    assert encoder.utilization == pytest.approx(sum(busy) / wall, rel=0.1)
    assert encoder.utilization < 0.5


@pytest.mark.parametrize(("n", "beside_decoders", "threads"), [(1, True, 1), (8, True, 2), (9, True, 3), (3, False, 3)])
def test_number_of_threads(n: int, beside_decoders: bool, threads: int):
    lock, running, most = threading.Lock(), 0, 0

    def count(table: pa.Table) -> pa.Table:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return table

    taken: list[int] = []
    with Encoder(count, n) as encoder:
        for done, _ in enumerate(encoder.map(blocks(12, 0.0, taken), beside_decoders=beside_decoders)):
            assert len(taken) <= done + threads + 1, "few blocks wait"
    assert most == threads


def test_an_error_is_raised_in_the_caller():
    def fail(table: pa.Table) -> pa.Table:
        raise KeyError(table["i"][0].as_py())

    with pytest.raises(KeyError, match="0"), Encoder(fail, 2) as encoder:
        list(encoder.map(blocks(5, 0.0, []), beside_decoders=False))
