"""Looking after a store: rolling back to an earlier version, pruning what nobody can reach any more."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from audioae.errors import StoreError
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS

PUBLISHED = ("tracks", "mels", "health", "rejects", "model", "embeddings", "index")
ON_REQUEST = tuple(name for name in DATASETS if name not in PUBLISHED)  # by stages that may be left out


def rollback(store: Store, dataset: str, version: str | None = None) -> DatasetRef:
    """Point LATEST of `dataset` at `version`, or at the one published before the current one.

    Raises
    ------
    StoreError
        If there is no such version, or none before the current one.
    """
    current = store.require(dataset)
    if version is None:
        refs = [ref for ref, _ in store.versions(dataset)]
        older = refs[refs.index(current) + 1 :] if current in refs else []
        if not older:
            raise StoreError(f"{current} is the oldest version of {dataset}; there is none to roll back to")
        target = older[0]
    else:
        target = DatasetRef(dataset, version)
    store.manifest(target)  # raises if it is unknown
    store.set_latest(target)
    return target


@dataclass(frozen=True)
class Pruned:
    """What `prune` removed (or would remove): versions and objects, and their bytes."""

    versions: list[DatasetRef]
    objects: list[str]
    n_bytes: int


def prune(store: Store, *, keep: int = 3, grace: timedelta = timedelta(days=1), dry_run: bool = False) -> Pruned:
    """Remove versions beyond the newest `keep` of each dataset, and every part that no remaining version names.

    The current version, and every version that a kept one was made from, stay. Objects younger than `grace` stay too:
    they may belong to a run that has not published yet.
    """
    if keep < 1:
        raise StoreError(f"keep={keep}: at least one version of each dataset must stay")
    kept = _reachable(store, keep)
    named = {f"{ref.dataset}/parts/{part.name}" for ref in kept for part in store.manifest(ref).parts} | {
        f"{ref.dataset}/versions/{ref.version}.json" for ref in kept
    }
    oldest = datetime.now(UTC) - grace
    doomed = [
        key
        for dataset in (*PUBLISHED, *ON_REQUEST)
        for folder in ("versions", "parts", "checkpoints")  # manifests first: a reader never sees one without its parts
        for key, time in store.storage.list(f"{dataset}/{folder}").items()
        if key not in named and time < oldest
    ]
    n_bytes = sum(store.storage.size(key) or 0 for key in doomed)
    if not dry_run:
        for key in doomed:
            store.storage.delete(key)
    versions = [
        DatasetRef(key.split("/")[0], key.rsplit("/", 1)[1].removesuffix(".json"))
        for key in doomed
        if "/versions/" in key
    ]
    return Pruned(versions, doomed, n_bytes)


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
