"""Whether failures are due, from the times kept beside a manifest and from the rows: always the same answer."""

from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pyarrow as pa
import pytest

from audioae.pipeline.config import Retry
from audioae.pipeline.failures import due
from audioae.pipeline.mels import pending_mels
from audioae.pipeline.retry_times import is_due, keep_times, read_times
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.prune import prune
from audioae.store.schemas import REJECTS
from tests.pipeline.made_chain import CONFIG, made_chain

NOW = datetime.now(UTC)
FAILURES = [(1, NOW + timedelta(hours=1)), (1, NOW - timedelta(hours=1)), (3, None), (5, None), (1, None)]


def rows(*failures: tuple[int, datetime | None]) -> pa.Table:
    base = {"stage": "mels", "reason": "timeout", "detail": ""}
    return pa.Table.from_pylist(
        [{"track_id": str(i), "attempts": n, "retry_at": at, **base} for i, (n, at) in enumerate(failures)], REJECTS
    )


@pytest.mark.parametrize("retry", [Retry(attempts=n, pause_s=s) for n, s in product((1, 3, 6), (0, 60))])
def test_the_times_say_what_the_rows_say(tmp_path: Path, retry: Retry):
    store, ref = Store(str(tmp_path)), DatasetRef("rejects", "made")
    tables = {f"{i}-{j}-": rows(FAILURES[i], FAILURES[j]) for i in range(5) for j in range(5)}
    for name, table in tables.items():
        store.write_part("rejects", name, table)
    keep_times(store, ref, tables, {})
    times = read_times(store, ref)
    assert {name: is_due(times[name], retry) for name in tables} == {
        name: bool(due(table, retry).any()) for name, table in tables.items()
    }


def test_parts_with_failures_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(str(tmp_path))
    tracks, _, _ = made_chain(store, 4, failing=[1, 3])
    read = []
    original = Store.read_part
    monkeypatch.setattr(Store, "read_part", lambda self, *args: read.append(args) or original(self, *args))
    assert pending_mels(Store(store.root), CONFIG, tracks, Retry(pause_s=3600)) == []
    assert pending_mels(Store(store.root), CONFIG, tracks, Retry(pause_s=0)) == [1, 3]
    assert read == []


@pytest.mark.parametrize("content", [b"", b"{}", b'{"checksum": "x", "times": {}}', b"[]", None])
def test_without_them_the_parts_are_read(tmp_path: Path, content: bytes | None):
    store = Store(str(tmp_path))
    tracks, _, _ = made_chain(store, 4, failing=[1, 3])
    (kept,) = {*(tmp_path / "rejects" / "retries").iterdir()}
    kept.unlink() if content is None else kept.write_bytes(content)
    assert pending_mels(Store(store.root), CONFIG, tracks, Retry(pause_s=3600)) == []
    assert pending_mels(Store(store.root), CONFIG, tracks, Retry(pause_s=0)) == [1, 3]


def test_prune_keeps_those_of_the_versions_that_it_keeps(tmp_path: Path):
    store = Store(str(tmp_path))
    made_chain(store, 2, failing=[1])
    old = store.retries_key(DatasetRef("rejects", "old"))
    store.storage.write(old, b"{}")
    assert old in prune(store, grace=timedelta(seconds=-5)).objects
    assert read_times(store, store.require("rejects"))
