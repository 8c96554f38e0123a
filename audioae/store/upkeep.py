"""Upkeep of a store: roll back to an earlier version, and delete what no version needs any more."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from audioae.errors import StoreError
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS, names_of

PUBLISHED = ("tracks", "mels", "health", "rejects", "model", "embeddings", "index")
ON_REQUEST = tuple(name for name in DATASETS if name not in PUBLISHED)  # published by optional stages


def rollback(store: Store, dataset: str, version: str | None = None) -> DatasetRef:
    """Make `version` of `dataset` current, by default the one published before the current one.

    Raises
    ------
    StoreError
        If the version does not exist, or the current version is the oldest.
    """
    current = store.require(dataset)
    if version is None:
        refs = [ref for ref, _ in store.versions(dataset)]
        older = refs[refs.index(current) + 1 :] if current in refs else []
        if not older:
            raise StoreError(f"{current} is the oldest version of {dataset}, so there is nothing to roll back to")
        target = older[0]
    else:
        target = DatasetRef(dataset, version)
    store.manifest(target)  # raises if it is unknown
    store.set_latest(target)
    return target


@dataclass(frozen=True)
class Pruned:
    """What `prune` deleted (or would delete): versions, objects, and the total size of the objects."""

    versions: list[DatasetRef]
    objects: list[str]
    n_bytes: int


def prune(store: Store, *, keep: int = 3, grace: timedelta = timedelta(days=1), dry_run: bool = False) -> Pruned:
    """Delete all but the newest `keep` versions of each dataset, and every part that no kept version needs.

    The current version is kept, and so is every version that a kept one was made from. Objects younger than `grace` are
    kept too: they may belong to a run that has not published yet. A process that has mapped a deleted file keeps it.
    """
    if keep < 1:
        raise StoreError(f"keep={keep}: wanted at least 1, because the current version of each dataset is kept")
    kept = _reachable(store, keep)
    needed = {store.part_key(ref.dataset, part.name) for ref in kept for part in store.manifest(ref).parts}
    needed |= {store.version_key(ref) for ref in kept}
    oldest = datetime.now(UTC) - grace
    versions, unneeded = [], []
    for dataset in (*PUBLISHED, *ON_REQUEST):
        for name in names_of(dataset):
            for folder in ("versions", "parts", "checkpoints"):  # manifests first: their parts always exist for readers
                keys = store.storage.list(f"{name}/{folder}") | store.storage.list_unfinished(f"{name}/{folder}")
                old = [key for key, time in keys.items() if key not in needed and time < oldest]
                unneeded += old
                if folder == "versions":
                    versions += [
                        DatasetRef(dataset, key.rsplit("/", 1)[1].removesuffix(".json"))
                        for key in old
                        if key.endswith(".json")
                    ]
    n_bytes = sum(store.storage.size(key) or 0 for key in unneeded)
    if not dry_run:
        for key in unneeded:
            store.storage.delete(key)
    return Pruned(versions, unneeded, n_bytes)


def _reachable(store: Store, keep: int) -> set[DatasetRef]:
    """The current and newest `keep` versions of each dataset, and all their ancestors."""
    pending = [ref for dataset in (*PUBLISHED, *ON_REQUEST) for ref, _ in store.versions(dataset)[:keep]]
    pending += [ref for dataset in (*PUBLISHED, *ON_REQUEST) if (ref := store.latest(dataset))]
    kept: set[DatasetRef] = set()
    while pending:
        ref = pending.pop()
        if ref not in kept:
            kept.add(ref)
            pending += [DatasetRef(*parent) for parent in store.manifest(ref).parents.items()]
    return kept
