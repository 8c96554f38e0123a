"""Eight threads use a freshly loaded index at once and get the answers of a single thread."""

import functools
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from audioae.search.index import SearchIndex
from tests.search.made import FACTORIES, clustered, untuned_index

N, N_THREADS, ROUNDS = 60_000, 8, 10
QUERIES, ALLOWED = clustered(N_THREADS * 8, seed=9), np.arange(0, N, 3)
MANY = clustered(70, seed=10)


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    """Let Python change threads as often as it can, so that a race shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture(scope="module", params=FACTORIES)
def files(request, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    index = untuned_index(request.param, clustered(N, seed=3))
    return [*index.save(tmp_path_factory.mktemp("index")).values()]


def answers(index: SearchIndex, thread: int, first: int = 0) -> list[np.ndarray]:
    """Ask every kind of question, beginning with number `first`."""
    queries = QUERIES[8 * thread : 8 * thread + 8]
    questions = [
        lambda: [index.embeddings(np.arange(thread, N, 70))],
        lambda: [*index.search(queries, 10)],
        lambda: [*index.search(queries[:1], 10)],
        lambda: [*index.search(queries, 10, ALLOWED)],
        lambda: [*index.search(queries, 10, np.arange(thread, 40_000))],
        lambda: [*index.search(MANY, 10)],
    ]
    results = {i % len(questions): questions[i % len(questions)]() for i in range(first, first + len(questions))}
    return [array for i in range(len(questions)) for array in results[i]]


def test_threads_get_the_answers_of_a_single_thread(files: list[Path]):
    alone = SearchIndex.load(*files)
    with ThreadPoolExecutor(
        1
    ) as pool:  # not this thread: what was set in it for OpenMP changes the last digit of scores
        expected = [*pool.map(functools.partial(answers, alone), range(N_THREADS))]
    for number in range(ROUNDS):
        index = SearchIndex.load(*files)
        together = threading.Barrier(N_THREADS)

        def ask(thread: int, index=index, together=together, same_first=number % 2 == 0) -> bool:
            """In half of the rounds, all threads begin with the same question."""
            together.wait(60)
            got = answers(index, thread, first=0 if same_first else thread)
            return all(np.array_equal(*pair) for pair in zip(got, expected[thread], strict=True))

        with ThreadPoolExecutor(N_THREADS) as pool:
            assert [*pool.map(ask, range(N_THREADS))] == [True] * N_THREADS


def test_saving_does_not_disturb_other_threads(files: list[Path], tmp_path: Path):
    index = SearchIndex.load(*files)
    rows = np.arange(0, N, 7)
    expected = index.embeddings(rows)

    def save(number: int) -> bool:
        (tmp_path / str(number)).mkdir()
        return index.save(tmp_path / str(number))["index.faiss"].read_bytes() == files[0].read_bytes()

    with ThreadPoolExecutor(4) as pool:
        saves = [pool.submit(save, number) for number in range(3)]
        reads = [pool.submit(index.embeddings, rows) for _ in range(20)]
        assert all(np.array_equal(read.result(), expected) for read in reads)
        assert all(one.result() for one in saves)
