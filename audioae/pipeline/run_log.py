"""The runs of a store: one row of the dataset `runs` per run, also of one that failed.

Conventions
-----------
- Each run writes a part of its own, named by the time of its end and its ID, and publishes all parts that there are. Of
  two runs that end at once, one may publish without the other's part; the next run publishes both.
- More than `MERGE_ABOVE` parts are merged into one, which keeps the newest `KEPT` runs. Only the newest `VERSIONS`
  versions remain, because each contains the runs of the one before; so a run costs the same after years.
- Reading counts a run once, whichever parts it is in.
- What is recorded about a run has no passwords: whatever stands between `://` and `@` in an address is left out.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from audioae.config import fingerprint
from audioae.errors import SearchError
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.retry import unless_merged
from audioae.store.schemas import RUNS

KEPT = 10_000
MERGE_ABOVE = 32
VERSIONS = 3
COMPLETED, WARNED, FAILED, STOPPED = "completed", "completed with warnings", "failed", "stopped"
JSON_COLUMNS = ("config", "versions", "seconds", "counts", "refs", "rejects", "drift")


@dataclass
class RunRow:
    """One run; the columns of the dataset `runs`."""

    run_id: str
    flow: str
    user: str
    host: str
    config_name: str
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    state: str = COMPLETED
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, dict[str, Any]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    rejects: dict[str, int] | None = None
    drift: dict[str, Any] | None = None


def append_run(store: Store, run: RunRow) -> None:
    """Record a run that has ended.

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    finished = run.finished_at or datetime.now(UTC)
    row = {**vars(run), "finished_at": finished, "error": run.error and without_passwords(run.error)}
    row |= {name: _json(row[name]) for name in JSON_COLUMNS}
    row["warnings"] = [without_passwords(warning) for warning in run.warnings]
    name = f"{finished:%Y%m%dT%H%M%S}-{run.run_id}"
    store.write_part("runs", name, pa.Table.from_pylist([row], schema=RUNS))
    unless_merged(lambda: _publish(store))


def list_runs(store: Store, n: int | None = None) -> list[dict[str, Any]]:
    """The newest `n` runs (default: all that are kept), newest first; columns of JSON are parsed."""

    def rows() -> list[dict[str, Any]]:
        ref = store.latest("runs")
        return [] if ref is None else _newest(store.read(ref)).to_pylist()[:n]

    return [{**row, **{name: _parsed(row[name]) for name in JSON_COLUMNS}} for row in unless_merged(rows)]


def find_run(store: Store, run_id: str) -> dict[str, Any]:
    """The run whose ID ends or begins with `run_id`; `last` is the newest.

    Raises
    ------
    SearchError
        If there is none, or more than one.
    """
    rows = list_runs(store)
    found = rows[:1] if run_id == "last" else [row for row in rows if _is_named(row["run_id"], run_id)]
    if len(found) != 1:
        problem = f"{len(found)} runs are named {run_id!r}" if found else f"no run {run_id!r} among {len(rows)}"
        raise SearchError(f"{problem}; `audioae runs` lists them")
    return found[0]


def _is_named(run_id: str, name: str) -> bool:
    return run_id.startswith(name) or run_id.endswith(name)


def reject_reasons(store: Store, rejects: DatasetRef) -> dict[str, int]:
    """The number of rejected tracks by reason, most frequent first; those that are tried again do not count."""
    counts: Counter[str] = Counter()
    for part in store.iter_parts(rejects, ["reason", "retry_at"]):
        final = part["reason"].filter(pc.is_null(part["retry_at"]))
        counts.update({row["values"]: row["counts"] for row in final.value_counts().to_pylist()})
    return dict(counts.most_common())


def without_passwords(text: str) -> str:
    """The text with the user and password of every address left out.

    >>> without_passwords("s3://key:secret@bucket/store?scheme=http")
    's3://bucket/store?scheme=http'
    """
    return re.sub(r"(?<=://)[^/\s@\"']*@", "", text)


def _publish(store: Store) -> None:
    names = sorted(store.part_fingerprints("runs"))
    merged: list[str] = []
    if len(names) > MERGE_ABOVE:
        merged, names = names, [_merge(store, names)]
    store.commit("runs", names, recipe=fingerprint(names), config={})
    old = sorted(store.list_manifests("runs").items(), key=lambda item: item[1].time)[:-VERSIONS]
    if merged:
        old = [item for item in store.list_manifests("runs").items() if item[0] != store.latest("runs")]
    for ref, _ in old:
        store.storage.delete(store.version_key(ref))
        store.storage.delete(store.superseded_key(ref))
    for name in {*merged} - {*names}:
        store.storage.delete(store.part_key("runs", f"{name}.parquet"))


def _merge(store: Store, names: Iterable[str]) -> str:
    """Write the runs of several parts as one part, and return its name."""
    names = list(names)
    table = _newest(pa.concat_tables([store.read_part("runs", name) for name in names]))
    name = f"{names[-1].partition('-')[0]}-merged-{fingerprint(names)}"
    store.write_part("runs", name, table)
    return name


def _newest(table: pa.Table) -> pa.Table:
    """The newest `KEPT` runs, each once, newest first."""
    table = table.sort_by([("finished_at", "descending"), ("run_id", "ascending")])
    seen: set[str] = set()
    ids = table["run_id"].to_pylist()
    rows = [row for row, run_id in enumerate(ids) if not (run_id in seen or seen.add(run_id))]
    return table.take(rows[:KEPT])


def _json(value: Any) -> str | None:
    return None if value is None else without_passwords(json.dumps(value, default=str))


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
