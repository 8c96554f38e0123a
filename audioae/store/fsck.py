"""Check a store: every manifest, part and pointer against what was recorded about it.

Conventions
-----------
- `check_current` looks at what is current and at all that it was made from; `check_store` looks at every version, and
  reads parts that no manifest names to their last page.
- `repair` deletes nothing. A damaged object is moved to the folder `quarantine` of its dataset, the manifest of a
  version whose parts are gone to the folder `lost`, and LATEST names the newest whole version. A lookup finds nothing
  of this any more, so the next run computes again what it needs.
"""

from collections.abc import Iterable

from audioae.errors import DamageError
from audioae.progress import Progress
from audioae.store.dataset import Store
from audioae.store.faults import Fault, Manifests, check_parts, check_unpublished, fault_of, parents_of
from audioae.store.latest import Latest, Pin
from audioae.store.manifest import DatasetRef
from audioae.store.upkeep import EVERY


def check_store(store: Store, progress: Progress | None = None) -> list[Fault]:
    """Every fault of every version of every dataset."""
    manifests, faults = _read_manifests(store)
    published = {ref: manifest for ref, manifest in manifests.items() if store.storage.exists(store.version_key(ref))}
    for dataset in EVERY:
        own = {ref: manifest for ref, manifest in published.items() if ref.dataset == dataset}
        faults += check_parts(store, dataset, own, manifests, progress)
        faults += check_unpublished(store, dataset, own)
        faults += _check_latest(store, dataset)
    return faults + _check_ancestors(store, published, manifests)


def check_current(store: Store, progress: Progress | None = None) -> list[Fault]:
    """Every fault of the current versions, and of all versions that they were made from."""
    manifests, faults = _read_current(store)
    for dataset in EVERY:
        own = {ref: manifest for ref, manifest in manifests.items() if ref.dataset == dataset}
        faults += check_parts(store, dataset, own, manifests, progress)
        faults += _check_latest(store, dataset)
    return faults


def repair(store: Store, faults: Iterable[Fault]) -> list[str]:
    """Set aside what is damaged, and mend LATEST where it names no whole version; returns what was done."""
    done = []
    for fault in faults:
        if fault.key and store.storage.exists(fault.key):
            name, path = fault.key.split("/", 1)
            store.storage.move(fault.key, f"{name}/quarantine/{path}")
            done.append(f"{fault.where}: moved to {name}/quarantine")
        for ref in fault.broken:
            store.give_up(ref)
    for dataset in EVERY:
        if _check_latest(store, dataset):
            done.append(_mend_latest(store, dataset))
    return done


def _check_ancestors(store: Store, published: Manifests, manifests: Manifests) -> list[Fault]:
    """Versions whose ancestors are gone; of old versions only those whose ancestors have no manifest either."""
    current = {store.latest(dataset) for dataset in EVERY}
    faults = []
    for ref, manifest in published.items():
        for parent in parents_of(manifest):
            if parent not in published and (ref in current or parent not in manifests):
                where = store.storage.locate(store.version_key(ref))
                remedy = "run again to make its ancestors, or roll back"
                faults.append(fault_of(where, f"made from {parent}, which is gone", manifests, [ref], remedy))
    return faults


def _check_latest(store: Store, dataset: str) -> list[Fault]:
    where, whole = store.storage.locate(store.latest_key(dataset)), store.whole_versions(dataset)
    try:
        latest = store.read_latest(dataset)
        pin_is_damaged = latest.pin is not None and latest.pin.recipes is None
        if DatasetRef(dataset, latest.version) in whole and not pin_is_damaged:
            return []
        what = "its pin is damaged" if pin_is_damaged else f"names {latest.version!r}, which is no whole version"
    except DamageError:
        if not store.storage.exists(store.latest_key(dataset)) and not whole:
            return []
        what = "gone, or not the name of a version"
    remedy = "--repair pins the version again" if what.startswith("its pin") else "--repair makes that current"
    used = f"; lookups use {whole[0]} instead" if whole and "pin" not in what else ""
    return [Fault(where, f"{what}{used}", (dataset,), remedy if whole else "run again to publish a version")]


def _mend_latest(store: Store, dataset: str) -> str:
    key, whole, pointer = store.latest_key(dataset), store.whole_versions(dataset), store.pointer(dataset)
    if not whole:
        store.storage.delete(key)
        return f"{store.storage.locate(key)}: removed, because no version of {dataset} is whole"
    current = next((ref for ref in whole if pointer and pointer.pin and ref.version == pointer.version), None)
    if current:
        recipes = (store.manifest(ref).recipe for ref in whole)
        store.write_latest(dataset, Latest(current.version, Pin.now(recipes)))
        return f"{store.storage.locate(key)}: {current} is pinned again"
    store.write_latest(dataset, Latest(whole[0].version))
    return f"{store.storage.locate(key)}: {whole[0]} is current now"


def _read_manifests(store: Store) -> tuple[Manifests, list[Fault]]:
    """Every sound manifest, and the faults of the others."""
    sound, bad = {}, []
    for dataset in EVERY:
        for ref, key in store.manifest_keys(dataset):
            try:
                sound.setdefault(ref, store.parse(ref, key))
            except DamageError as error:
                bad.append((ref, key, str(error)))
    remedy = "set it aside with --repair, then run again to publish it"
    return sound, [
        fault_of(where, message.removeprefix(f"{where}: ").split(";")[0], sound, [ref], remedy, key)
        for ref, key, message in bad
        for where in (store.storage.locate(key),)
    ]


def _read_current(store: Store) -> tuple[Manifests, list[Fault]]:
    """The manifests of the current versions and of their ancestors; and the faults of those that cannot be read."""
    pointers = {dataset: store.pointer(dataset) for dataset in EVERY}
    pending = [DatasetRef(dataset, pointer.version) for dataset, pointer in pointers.items() if pointer]
    pending += [ref for dataset in EVERY if (ref := store.latest(dataset))]
    sound: Manifests = {}
    faults: dict[DatasetRef, Fault] = {}
    while pending:
        ref = pending.pop()
        if ref in sound or ref in faults:
            continue
        key = store.version_key(ref)
        try:
            sound[ref] = store.parse(ref, key)
            pending += parents_of(sound[ref])
        except DamageError as error:
            where = store.storage.locate(key)
            what = str(error).removeprefix(f"{where}: ").split(";")[0]
            remedy = "set it aside with --repair, then run again to publish it"
            faults[ref] = Fault(where, what, (str(ref),), remedy, key)
    return sound, list(faults.values())
