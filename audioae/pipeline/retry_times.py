"""When the failures of a version of `rejects` are tried again, kept beside its manifest so that no part is read for it.

Conventions
-----------
- For each part with failures of the moment, by the number of attempts so far: the earliest `retry_at`, null if there is
  a failure without one. Nothing else decides whether a failure is tried again.
- The object may be missing or damaged: then the parts are read. It is written when the version is published.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.config import Retry
from audioae.pipeline.failures import failures_in
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.parallel import map_parallel

Times = dict[str, str | None]  # by attempts


def read_times(store: Store, ref: DatasetRef) -> dict[str, Times]:
    """The times of each part with failures, by its fingerprint; empty if they are not kept."""
    with contextlib.suppress(StoreError, ValueError, KeyError, TypeError, AttributeError):
        content = json.loads(store.storage.read(store.retries_key(ref)))
        if content["checksum"] == fingerprint(content["times"]):
            return content["times"]
    return {}


def keep_times(store: Store, ref: DatasetRef, names: Iterable[str], known: Mapping[str, Times]) -> None:
    """Keep the times of the parts `names` of a version, unless they are kept; those that are not `known` are read."""
    key = store.retries_key(ref)
    if store.storage.exists(key):
        return
    times = {name: known[name] for name in names if name in known}
    unread = [name for name in names if name not in known]
    times |= zip(unread, map_parallel(lambda name: _times(store, name), unread), strict=True)
    if times:
        content: dict[str, Any] = {"checksum": fingerprint(times), "times": times}
        store.storage.write(key, json.dumps(content, sort_keys=True).encode())


def is_due(times: Times, retry: Retry) -> bool:
    """Whether this run tries any of the failures again: the answer of `failures.due` for the rows.

    >>> is_due({"1": None}, Retry(attempts=3)), is_due({"1": "2999-01-01T00:00:00+00:00", "3": None}, Retry(attempts=3))
    (True, False)
    """
    now = datetime.now(UTC)
    return any(
        int(attempts) < retry.attempts
        and (not retry.pause_s or earliest is None or datetime.fromisoformat(earliest) <= now)
        for attempts, earliest in times.items()
    )


def _times(store: Store, name: str) -> Times:
    failures = failures_in(store.read_part("rejects", name))
    times: Times = {}
    for n, retry_at in zip(failures["attempts"].to_pylist(), failures["retry_at"].to_pylist(), strict=True):
        at = retry_at.isoformat() if retry_at else None
        earlier = times.get(str(n), at)
        times[str(n)] = min(at, earlier) if at and earlier else None
    return times
