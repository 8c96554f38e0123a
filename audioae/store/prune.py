"""Prune a store: delete what no version needs any more.

Conventions
-----------
- Kept are the newest versions of each dataset, the current one, every version that was superseded within the grace
  period (so that whoever opened it has that long to finish), and all that these were made from.
- Whatever was written within the grace period is kept too. A part that is younger than every version of its dataset is
  kept `RUN_FACTOR` times as long: it is the work of a run that has not published yet, which may take days, or was
  interrupted and goes on later.
- The store is looked at again before each deletion: what became current or was published meanwhile is kept.
- Unfinished files and uploads of killed runs, quarantined objects, and manifests that are only a record are deleted
  like anything else that nothing needs.
- A damaged manifest says nothing about its parts, so no part of its dataset is deleted until `fsck --repair`.
"""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from audioae.errors import DamageError, StoreError
from audioae.store.dataset import Store
from audioae.store.latest import Latest
from audioae.store.manifest import DatasetRef
from audioae.store.s3 import abort_uploads
from audioae.store.schemas import DATASETS, names_of
from audioae.store.storage import UNFINISHED, Entry
from audioae.store.upkeep import EVERY

FOLDERS = (
    "versions",
    "parts",
    "lost",
    "quarantine",
    "superseded",
    "retries",
    "checkpoints",
)  # manifests first: their parts exist for readers

RUN_FACTOR = 30

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pruned:
    """What `prune` deleted (or would delete): versions, objects (and unfinished uploads), and their total size."""

    versions: list[DatasetRef]
    objects: list[str]
    n_bytes: int


def prune(store: Store, *, keep: int = 3, grace: timedelta = timedelta(days=1), dry_run: bool = False) -> Pruned:
    """Delete all but the newest `keep` versions of each dataset, and every part that no kept version needs.

    A process that has mapped a deleted file keeps it. A run may go on meanwhile.
    """
    if keep < 1:
        raise StoreError(f"keep={keep}: wanted at least 1, because the current version of each dataset is kept")
    now = datetime.now(UTC)
    oldest = now - grace
    published = {dataset: _last_publication(store, dataset) for dataset in EVERY}
    needed = _Needed(store, keep, oldest)
    versions, objects, n_bytes = [], [], 0
    for dataset, key, entry in _objects(store):
        is_new = _is_part(dataset, key) and entry.time >= published[dataset]
        if now - entry.time <= (RUN_FACTOR * grace if is_new else grace) or needed.has(dataset, key):
            continue
        if not dry_run:
            store.storage.delete(key)
        objects.append(key)
        n_bytes += entry.size
        if "/versions/" in key and key.endswith(".json"):
            versions.append(DatasetRef(dataset, key.rsplit("/", 1)[1].removesuffix(".json")))
            needed.deleted(versions[-1])
    uploads = [] if store.storage.is_local else _abort_uploads(store, oldest, dry_run)
    return Pruned(versions, objects + uploads, n_bytes)


def _last_publication(store: Store, dataset: str) -> datetime:
    """When the newest manifest was written, by the clock that parts are dated with."""
    times = [entry.time for entry in store.list_manifests(dataset).values()]
    return max(times, default=datetime.fromtimestamp(0, UTC))


def _is_part(dataset: str, key: str) -> bool:
    """Whether an object is a complete part of a table; files of artifacts are written when they are published."""
    return dataset in DATASETS and "/parts/" in key and f"/{UNFINISHED}" not in key


def _objects(store: Store) -> Iterator[tuple[str, str, Entry]]:
    """Every object that may be deleted, with its dataset and its listing; all manifests go first."""
    for folder in FOLDERS:
        for dataset, name in _names():
            for key, entry in store.storage.list(f"{name}/{folder}").items():
                yield dataset, key, entry
    for dataset, name in _names():
        for key, entry in store.storage.list_unfinished(name).items():
            yield dataset, key, entry


def _names() -> list[tuple[str, str]]:
    return [(dataset, name) for dataset in EVERY for name in names_of(dataset)]


def _abort_uploads(store: Store, oldest: datetime, dry_run: bool) -> list[str]:
    uploads = abort_uploads(store.root, oldest, dry_run=dry_run)
    if uploads is None:
        _log.warning(
            "unfinished uploads are not looked for without boto3: pip install 'audioae[s3]', or give the bucket a "
            "lifecycle rule"
        )
    return uploads or []


class _Needed:
    """The keys that the kept versions need; they are found again when the store has changed."""

    def __init__(self, store: Store, keep: int, oldest: datetime):
        self._store, self._keep, self._oldest = store, keep, oldest
        self._state: dict[str, tuple[Latest | None, set[DatasetRef]]] = {}
        self._keys: set[str] = set()
        self._unclear: set[str] = set()

    def has(self, dataset: str, key: str) -> bool:
        """Whether `key` must be kept. Before the answer is no, the store is looked at again.

        For a manifest that means all datasets; for a part, whose manifest is gone already, that of the part.
        """
        datasets = EVERY if "/versions/" in key else (dataset,)
        if key not in self._keys and any(_state(self._store, name) != self._state.get(name) for name in datasets):
            self._state = {name: _state(self._store, name) for name in EVERY}
            self._find()
        return key in self._keys or ("/parts/" in key and dataset in self._unclear)

    def deleted(self, ref: DatasetRef) -> None:
        """A change that `prune` made itself."""
        self._state[ref.dataset][1].discard(ref)

    def _find(self) -> None:
        store, self._keys, self._unclear = self._store, set(), set()
        for dataset in EVERY:
            if len(store.versions(dataset)) < len(store.list_manifests(dataset)):
                self._unclear.add(dataset)
        for ref in _reachable(store, self._keep, self._oldest):
            with contextlib.suppress(DamageError):
                self._keys |= {store.part_key(ref.dataset, part.name) for part in store.manifest(ref).parts}
                self._keys |= {store.version_key(ref), store.lost_key(ref), store.retries_key(ref)}


def _state(store: Store, dataset: str) -> tuple[Latest | None, set[DatasetRef]]:
    """What changes when a version is published, becomes current, or is deleted by someone else."""
    return store.pointer(dataset), set(store.list_manifests(dataset))


def _reachable(store: Store, keep: int, oldest: datetime) -> set[DatasetRef]:
    """The current, newest and lately superseded versions of each dataset, and all their ancestors."""
    pending = []
    for dataset in EVERY:
        pending += store.whole_versions(dataset)[:keep]
        pending += [ref for ref, entry in store.list_superseded(dataset).items() if entry.time >= oldest]
        pending += [ref for ref in (store.latest(dataset),) if ref]
    kept: set[DatasetRef] = set()
    while pending:
        ref = pending.pop()
        if ref not in kept:
            kept.add(ref)
            with contextlib.suppress(DamageError):  # then its ancestors are unknown
                pending += [DatasetRef(*parent) for parent in store.manifest(ref).parents.items()]
    return kept
