"""Killable workers: any failure costs one item, order and memory are bounded, and workers are reused."""

import gc
import itertools
import os
import signal
import threading
import time

import pytest

from audioae.audio.workers import call_killable, close_workers, imap_killable
from audioae.errors import AudioError
from tests.audio import worker_functions as functions
from tests.audio.worker_functions import call, children, numbered


@pytest.fixture(scope="module", autouse=True)
def leave_no_worker():
    yield
    close_workers()
    assert children(os.getpid()) == set()


def test_results_come_in_the_order_of_the_items():
    items = [(f"key {i}", (0.2 if i == 0 else 0.0, i)) for i in range(20)]
    answers = list(imap_killable(functions.after, items, workers=2, timeout_s=60))
    assert answers == [(f"key {i}", i) for i in range(20)]


def test_no_items():
    assert call([]) == []


@pytest.mark.parametrize(
    ("what", "reason", "detail"),
    [
        ("hang", "timeout", "no answer within 0.5 s"),
        ("hang without the interpreter", "timeout", "no answer within 0.5 s"),
        ("segfault", "crashed", "signal 11, SIGSEGV"),
        ("null pointer", "crashed", "signal 11, SIGSEGV"),
        ("killed", "crashed", "signal 9, SIGKILL"),
        ("exit", "crashed", "exit status 3"),
        ("close everything", "crashed", "exit status 1"),
        ("reject", "silent", "peak -inf dBFS"),
    ],
)
def test_a_failure_costs_one_item(what, reason, detail):
    answers = [answer for _, answer in call(["a", what, "b", "c"], workers=1, timeout_s=0.5)]
    assert answers[0::2] == ["a", "b"]
    assert answers[3] == "c"
    assert isinstance(answers[1], AudioError)
    assert answers[1].reason == reason
    assert detail in answers[1].detail


def test_all_items_may_fail():
    answers = call(["exit", "segfault"] * 3)
    assert [answer.reason for _, answer in answers] == ["crashed"] * 6


def test_large_results_do_not_time_out_while_the_caller_is_slow():
    answers = imap_killable(functions.big, numbered([3_000_000] * 8), workers=2, timeout_s=0.6)
    for _, answer in answers:
        time.sleep(0.3)  # longer than the timeout in sum: a result that waits for the caller is not late
        assert answer == bytes(3_000_000)


def test_items_are_read_lazily():
    taken = 0

    def endless():
        nonlocal taken
        for taken in itertools.count(1):
            yield taken, (taken,)

    answers = imap_killable(functions.double, endless(), workers=2, timeout_s=60)
    for i in range(1, 50):
        assert next(answers) == (i, 2 * i)
    time.sleep(0.2)
    assert taken <= 50 + 2 * 32


def test_workers_continue_while_the_caller_is_busy():
    answers = imap_killable(functions.after, enumerate([(0.0, 0), (0.4, 1), (0.4, 2)]), workers=2, timeout_s=60)
    next(answers)
    time.sleep(1.0)
    start = time.monotonic()
    assert [value for _, value in answers] == [1, 2]
    assert time.monotonic() - start < 0.3


@pytest.mark.parametrize("block", [1, 16], ids=["one by one", "in blocks"])
def test_workers_and_their_caller_work_at_once(block: int):
    """Decoding and what is done with its results take as long as the longer of both, not their sum."""
    call(["a"] * 2)
    ratios = []
    while len(ratios) < 4 and min(ratios, default=2) > 1.15:  # a busy machine may disturb some
        alone = seconds(block=1, pause=0)
        both = seconds(block, pause=alone / 64)
        ratios.append((both - 0.05 * block / 2) / alone)  # the caller waits for its first block
    assert min(ratios) <= 1.15, ratios


def seconds(block: int, pause: float) -> float:
    """How long 64 items take two workers and a caller that pauses for each, after every `block`."""
    items = ((i, (0.05, i)) for i in range(64))
    begin = time.monotonic()
    for i, _ in imap_killable(functions.after, items, workers=2, timeout_s=60):
        if pause and i % block == block - 1:
            time.sleep(pause * block)
    return time.monotonic() - begin


def test_results_that_the_caller_has_not_fetched_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("audioae.audio.workers.HELD_BYTES", 5 << 20)
    answers = imap_killable(functions.big_at, ((i, (i, 1 << 20)) for i in range(40)), workers=2, timeout_s=60)
    assert len(next(answers)[1][0]) == 1 << 20
    time.sleep(1)
    begun = time.monotonic()
    late = [position for position, (_, at) in answers if at > begun]
    assert late == list(range(late[0], 40)), "the rest was computed when there was room for it"
    assert 5 <= late[0] <= 9


def test_workers_are_kept_between_calls_and_threads():
    def pids():
        return {pid for _, (pid, *_) in call(["X"] * 4, function=functions.environment, workers=1)}

    close_workers()
    first, later = pids(), []
    for _ in range(2):  # two threads, one after the other: a worker survives the thread that first used it
        thread = threading.Thread(target=lambda: later.append(pids()))
        thread.start()
        thread.join()
    assert later == [first, first]
    assert pids() == first


def test_a_worker_started_by_a_thread_outlives_it():
    close_workers()
    thread = threading.Thread(target=call, args=(["a"],), kwargs={"workers": 1})
    thread.start()
    thread.join()
    before = children(os.getpid())
    assert len(before) == 1
    assert call(["a"], workers=1) == [(0, "a")]
    assert children(os.getpid()) == before


def test_concurrent_threads_share_no_worker():
    results: dict[int, list] = {}

    def work(name):
        results[name] = call([i + name for i in range(50)], function=functions.double)

    threads = [threading.Thread(target=work, args=(1000 * i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {1000 * i: [(j, 2 * (j + 1000 * i)) for j in range(50)] for i in range(3)}


def test_leaving_early_kills_busy_workers():
    close_workers()
    answers = imap_killable(functions.act, numbered(["a", "hang", "hang"]), workers=2, timeout_s=600)
    assert next(answers) == (0, "a")
    assert len(children(os.getpid())) == 2
    del answers
    gc.collect()
    assert len(children(os.getpid())) == 0


def test_an_idle_worker_that_died_is_replaced():
    close_workers()
    call(["a"], workers=1)
    (pid,) = children(os.getpid())
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    assert call(["a"], workers=1) == [(0, "a")]


def test_a_forked_child_starts_its_own_workers():
    before = {pid for _, (pid, *_) in call(["X"], function=functions.environment, workers=1)}
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        ((_, (pid, *_)),) = call(["X"], function=functions.environment, workers=1)
        os.write(write, str(pid).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 20)) not in before
    assert {pid for _, (pid, *_) in call(["X"], function=functions.environment, workers=1)} == before


def test_an_error_at_the_start_of_a_worker_is_raised_with_its_output(monkeypatch, tmp_path):
    close_workers()
    broken = tmp_path / "audioae"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('half an installation')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RuntimeError, match=r"could not start \(exit status 1\)[\s\S]*half an installation"):
        call(["a"])


def test_an_item_that_needs_too_much_memory_costs_itself_only():
    close_workers()
    items = numbered([10, 300, 10, 90])
    answers = [answer for _, answer in imap_killable(functions.allocate, items, workers=1, timeout_s=60, memory_mb=100)]
    assert answers[0::2] == [10 << 20] * 2
    assert answers[3] == 90 << 20
    assert (answers[1].reason, answers[1].detail) == ("out_of_memory", "it needed more than 100 MB of memory")
    assert call([300], function=functions.allocate, workers=1) == [(0, 300 << 20)]
    assert len(children(os.getpid())) == 1  # the process survived, and has no limit now


def test_no_memory_is_a_failure_of_the_item():
    ((_, answer),) = call([1 << 40], function=functions.allocate)
    assert (answer.reason, answer.detail) == ("out_of_memory", "there was not enough memory for it")


@pytest.mark.parametrize("what", ["slow", "large"])
def test_preparing_counts_for_no_limit(what):
    options = {"timeout_s": 0.5, "memory_mb": 100, "prepare": functions.prepare}
    assert call_killable(functions.prepared, what, **options) == what


def test_what_preparing_raises_is_raised():
    with pytest.raises(ModuleNotFoundError, match="torch") as caught:
        call_killable(functions.prepared, "broken", timeout_s=60, prepare=functions.prepare)
    assert caught.value.name == "torch"


def test_rejects_a_function_that_workers_cannot_import():
    with pytest.raises(ValueError, match=r"got .*<lambda>, wanted a function at the top of a module"):
        imap_killable(lambda: None, [], workers=1, timeout_s=1)


def test_rejects_zero_workers():
    with pytest.raises(ValueError, match="workers=0"):
        imap_killable(functions.double, [], workers=0, timeout_s=1)
