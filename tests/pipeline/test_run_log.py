"""The log of runs: each run once, whoever else ends at the same moment, at a cost that does not grow."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audioae.errors import DamageError, SearchError
from audioae.pipeline import run_log
from audioae.pipeline.run_log import FAILED, RunRow, append_run, find_run, list_runs, without_passwords
from audioae.store import retry
from audioae.store.dataset import Store
from audioae.store.fsck import check_store
from audioae.store.prune import prune

START = datetime(2026, 3, 1, 3, tzinfo=UTC)


def run(number: int, **values: Any) -> RunRow:
    ended = START + timedelta(days=number)
    config = {"store": "s3://me:secret@b/s"}
    who: dict[str, Any] = {"user": "anna", "host": "box", "config_name": "demo", "config": config}
    row = RunRow(f"{number:04d}aaaa-0000", "pipeline", versions={"audioae": "1"}, **who, started_at=ended)
    row.finished_at = ended
    for name, value in values.items():
        setattr(row, name, value)
    return row


def numbers(store: Store, n: int | None = None) -> list[int]:
    return [int(row["run_id"][:4]) for row in list_runs(store, n)]


def test_a_run_is_read_as_it_was_recorded(store_root):
    store = Store(store_root)
    assert list_runs(store) == []
    seconds, counts = {"mels": 1.5, "embed": 0.25}, {"mels": {"clips": 72}}
    append_run(store, run(1, seconds=seconds, counts=counts, rejects={"silent": 2}, refs={"mels": "mels@0"}))
    append_run(store, run(2, state=FAILED, error="StoreError: s3://me:secret@b/s is full", warnings=["skipped a.mp3"]))
    bad, good = list_runs(Store(store_root))
    assert (good["seconds"], good["counts"], good["rejects"]) == (seconds, counts, {"silent": 2})
    assert (good["drift"], good["error"], good["user"]) == (None, None, "anna")
    assert (good["finished_at"], good["state"]) == (START + timedelta(days=1), "completed")
    assert (bad["state"], bad["error"]) == ("failed", "StoreError: s3://b/s is full")
    assert bad["warnings"] == ["skipped a.mp3"]
    assert good["config"] == {"store": "s3://b/s"}, "no password is recorded"
    assert numbers(store, 1) == [2]


def test_find_takes_the_beginning_or_the_end_of_an_id(tmp_path: Path):
    store = Store(str(tmp_path))
    for number in (1, 2, 11):
        append_run(store, run(number))
    assert find_run(store, "0002")["run_id"] == "0002aaaa-0000"
    assert find_run(store, "2aaaa-0000")["run_id"] == "0002aaaa-0000"
    assert find_run(store, "last")["run_id"] == "0011aaaa-0000"
    with pytest.raises(SearchError, match=r"3 runs are named '00'; `audioae runs` lists them"):
        find_run(store, "00")
    with pytest.raises(SearchError, match=r"no run '0003' among 3"):
        find_run(store, "0003")


def test_runs_that_end_at_once_are_all_kept(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(run_log, "MERGE_ABOVE", 5)
    store = Store(str(tmp_path))

    def append(thread: int) -> None:
        for number in range(4):
            append_run(Store(str(tmp_path)), run(10 * thread + number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(4)))  # raises what a thread raised
    append_run(store, run(99))
    assert sorted(numbers(store)) == sorted([*(10 * thread + n for thread in range(4) for n in range(4)), 99])


def test_a_list_that_cannot_be_read_is_an_error_and_not_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(str(tmp_path))
    append_run(store, run(1))

    def gone(*_: object) -> None:
        raise DamageError("no such object in the store")

    monkeypatch.setattr(retry, "LONGEST_PAUSE_S", 0.0)
    monkeypatch.setattr(Store, "read", gone)
    with pytest.raises(DamageError, match="no such object"):
        list_runs(store)


def test_a_part_that_no_version_names_is_published_by_the_next_run(tmp_path: Path, monkeypatch):
    store = Store(str(tmp_path))
    append_run(store, run(1))

    def die(_store: Store) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run_log, "_publish", die)
        with pytest.raises(KeyboardInterrupt):
            append_run(store, run(2))
    assert numbers(Store(str(tmp_path))) == [1]
    append_run(store, run(3))
    assert numbers(store) == [3, 2, 1]


def counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What the storage is asked for from now on, by operation."""
    asked: Counter[str] = Counter()

    def spy(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            asked[name] += 1
            return method(*arguments, **named)

        return call

    for name in ("open", "write", "size", "_list"):
        monkeypatch.setattr(store.storage, name, spy(name, getattr(store.storage, name)))
    return asked


def test_the_log_stays_small_and_whole_over_years(tmp_path: Path, monkeypatch):
    """A merge keeps every run; old versions go; nothing that fsck would call damage is left; a run costs no more."""
    store = Store(str(tmp_path))
    costs = {}
    for number in range(100):
        fresh = Store(str(tmp_path))
        asked = counted(fresh, monkeypatch)
        append_run(fresh, run(number))
        costs[number] = sum(asked.values())
    assert numbers(store) == list(range(99, -1, -1))
    assert len(store.list_parts("runs")) <= run_log.MERGE_ABOVE + 1
    assert len(store.list_manifests("runs")) <= run_log.VERSIONS
    assert check_store(store) == []
    assert max(costs[n] for n in range(50, 100)) <= 1.2 * max(costs[n] for n in range(50)), costs
    prune(store, keep=1, grace=timedelta(0))
    assert numbers(store) == list(range(99, -1, -1)), "prune keeps every run"


def test_a_merge_keeps_the_newest(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(run_log, "MERGE_ABOVE", 4)
    monkeypatch.setattr(run_log, "KEPT", 3)
    store = Store(str(tmp_path))
    for number in range(5):
        append_run(store, run(number))
    assert numbers(store) == [4, 3, 2]


def test_no_password_is_kept():
    assert without_passwords('{"a": "s3://k:s@b/p"}') == '{"a": "s3://b/p"}'
    assert without_passwords("https://token@host/x me@home.org") == "https://host/x me@home.org"
