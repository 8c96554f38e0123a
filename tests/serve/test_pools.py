"""Pools: how many compute and wait, what happens to those that give up, and what a call costs."""

import asyncio
import threading
import time

import pytest

from audioae.serve.pools import Pool, QueueFullError


@pytest.fixture
def pool():
    pool = Pool("test", threads=2, queue=3)
    yield pool
    pool.close()


async def until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def test_results_and_errors_come_back(pool):
    async def main():
        assert await pool.run(lambda: 6 * 7) == 42
        assert await pool.run(lambda: threading.current_thread().name) in ("audioae-test-0", "audioae-test-1")
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 / 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await pool.run(lambda: next(iter(())))
        assert await asyncio.gather(*(pool.run(lambda i=i: i) for i in range(5))) == [0, 1, 2, 3, 4]

    asyncio.run(main())


def test_two_compute_three_wait_and_the_sixth_is_refused_at_once(pool):
    gate, told = threading.Event(), []
    pool.waits = told.append

    async def main():
        tasks = [asyncio.create_task(pool.run(gate.wait)) for _ in range(5)]
        await until(lambda: pool.n_waiting == 3)
        with pytest.raises(QueueFullError, match=r"^3 requests of the kind test wait already$") as caught:
            await pool.run(lambda: None)
        assert caught.value.retry_after_s == 1
        gate.set()
        await asyncio.gather(*tasks)
        assert pool.n_waiting == 0
        assert await pool.run(lambda: "room again") == "room again"

    asyncio.run(main())
    assert max(told) == 3
    assert told[-1] == 0


def test_who_gives_up_while_waiting_frees_the_place_and_who_gives_up_later_when_it_is_done(pool):
    gate, computed = threading.Event(), []

    async def main():
        running = [asyncio.create_task(pool.run(gate.wait)) for _ in range(2)]
        waiting = [asyncio.create_task(pool.run(lambda i=i: computed.append(i))) for i in range(3)]
        await until(lambda: pool.n_waiting == 3)
        waiting[1].cancel()
        await until(lambda: pool.n_waiting == 2)
        late = asyncio.create_task(pool.run(lambda: computed.append("late")))
        await until(lambda: pool.n_waiting == 3)
        running[0].cancel()
        await asyncio.sleep(0.05)
        assert pool.n_waiting == 3, "its thread still computes"
        gate.set()
        await asyncio.gather(waiting[0], waiting[2], late, running[1])
        await until(lambda: pool._pending == 0)

    asyncio.run(main())
    assert sorted(computed, key=str) == [0, 2, "late"]


def test_closing_drops_what_waits_and_ends_the_threads():
    pool = Pool("test", threads=1, queue=5)
    gate, computed = threading.Event(), []

    async def main():
        running = asyncio.create_task(pool.run(gate.wait))
        waiting = asyncio.create_task(pool.run(lambda: computed.append(1)))
        await until(lambda: pool.n_waiting == 1)
        await asyncio.sleep(0.02)
        pool.close()
        gate.set()
        assert await running
        waiting.cancel()

    asyncio.run(main())
    for thread in pool._threads:
        thread.join(5)
        assert not thread.is_alive()
    assert computed == []
