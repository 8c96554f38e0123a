"""Upkeep of a store: list its versions, roll back to an earlier one, and release a rollback."""

from typing import Any

from audioae.errors import DamageError, StoreError
from audioae.store.dataset import Store
from audioae.store.latest import Latest, Pin
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import DATASETS

PUBLISHED = ("tracks", "mels", "health", "rejects", "model", "embeddings", "index")
ON_REQUEST = (
    *(name for name in DATASETS if name not in PUBLISHED),
    "drift",
    "network",
    "index_training",
)  # published by optional stages
EVERY = (*PUBLISHED, *ON_REQUEST)


def rollback(store: Store, dataset: str, version: str | None = None) -> DatasetRef:
    """Make `version` of `dataset` current, by default the one published before the current one.

    The version is pinned: it stays current until `release`, or until a run publishes something from other inputs. The
    newest version needs no pin.

    Raises
    ------
    StoreError
        If the version does not exist or is not whole, or the current version is the oldest.
    """
    _check_name(dataset)
    current = store.require(dataset)
    refs = [ref for ref, _ in store.versions(dataset)]
    whole = store.whole_versions(dataset)
    older = whole[whole.index(current) + 1 :] if current in whole else []
    if version is None and not older:
        raise StoreError(f"{current} is the oldest version of {dataset}, so there is nothing to roll back to")
    target = DatasetRef(dataset, version) if version else older[0]
    store.manifest(target)  # raises if it is unknown or damaged
    if target not in whole:
        raise DamageError(f"{target} is not whole, so it cannot be current; `audioae fsck` says what is missing")
    recipes = (store.manifest(ref).recipe for ref in refs)
    store.write_latest(dataset, Latest(target.version, None if target == refs[0] else Pin.now(recipes)))
    return target


def release(store: Store, dataset: str) -> DatasetRef:
    """End the pin of a rollback. The version stays current until the next run publishes or finds another.

    Raises
    ------
    StoreError
        If the dataset is not pinned.
    """
    _check_name(dataset)
    current = store.require(dataset)
    pointer = store.pointer(dataset)
    if pointer is None or pointer.pin is None:
        raise StoreError(f"{current} is not pinned, so there is nothing to release; `audioae versions` shows pins")
    store.write_latest(dataset, Latest(current.version))
    return current


def list_versions(store: Store, dataset: str) -> list[dict[str, Any]]:
    """One row per version, newest first: what it is, when it was published, its size, and what to know about it."""
    current, pointer, whole = store.latest(dataset), store.pointer(dataset), store.whole_versions(dataset)
    rows = []
    for ref, time in store.versions(dataset):
        manifest = store.manifest(ref)
        pinned = pointer is not None and pointer.pin is not None and ref == current
        rows.append(
            {
                "ref": str(ref),
                "current": "*" if ref == current else "",
                "published": time.isoformat(timespec="seconds"),
                "rows": manifest.rows,
                "parts": len(manifest.parts),
                "MB": round(sum(part.bytes for part in manifest.parts) / 1e6, 2),
                "note": "pinned" if pinned else "" if ref in whole else "not whole: see `audioae fsck`",
            }
        )
    return rows


def _check_name(dataset: str) -> None:
    if dataset not in EVERY:
        raise StoreError(f"no dataset {dataset!r}; wanted one of: {', '.join(EVERY)}")
