"""Check a store: every manifest, part and pointer against what was recorded about it.

Conventions
-----------
- A fault names one object, what is wrong with it, which versions it affects (those that name it, and all that were made
  from these), and what to do.
- `check_current` looks at what is current and at all that it was made from; `check_store` looks at every version, and
  reads parts that no manifest names to their last page.
- Each part is hashed once, however many versions share it, and several at a time. Then its footer must give the schema
  of the dataset and the recorded number of rows.
- `repair` deletes nothing. A damaged object is moved to the folder `quarantine` of its dataset, the manifest of a
  version whose parts are gone to the folder `lost`, and LATEST names the newest whole version. A lookup finds nothing
  of this any more, so the next run computes again what it needs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from audioae.errors import DamageError, StoreError
from audioae.progress import Progress
from audioae.store.dataset import Store
from audioae.store.latest import Latest, Pin
from audioae.store.manifest import DatasetRef, Manifest, Part
from audioae.store.parallel import map_parallel
from audioae.store.parquet import decode, read_footer
from audioae.store.schemas import DATASETS
from audioae.store.storage import Entry
from audioae.store.upkeep import EVERY

Manifests = dict[DatasetRef, Manifest]


@dataclass(frozen=True)
class Fault:
    """What is wrong with one object of a store.

    Attributes
    ----------
    where : str
        The path or `s3://` address of the object.
    what : str
        What was found, and what was wanted.
    affects : tuple of str
        Refs of the versions that name the object, and of those that were made from them.
    remedy : str
        What to do.
    key : str
        The object that `repair` moves to `quarantine`; empty if there is none.
    broken : tuple of DatasetRef
        The versions that are not whole because of this fault.
    """

    where: str
    what: str
    affects: tuple[str, ...]
    remedy: str
    key: str = ""
    broken: tuple[DatasetRef, ...] = ()


def check_store(store: Store, progress: Progress | None = None) -> list[Fault]:
    """Every fault of every version of every dataset."""
    manifests, faults = _read_manifests(store)
    published = {ref: manifest for ref, manifest in manifests.items() if store.storage.exists(store.version_key(ref))}
    for dataset in EVERY:
        own = {ref: manifest for ref, manifest in published.items() if ref.dataset == dataset}
        faults += check_parts(store, dataset, own, manifests, progress)
        faults += _check_unpublished(store, dataset, own)
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


def check_parts(
    store: Store, dataset: str, named_by: Manifests, manifests: Manifests, progress: Progress | None = None
) -> list[Fault]:
    """Hash every part that the manifests `named_by` of one dataset name.

    Parameters
    ----------
    store : Store
    dataset : str
    named_by : dict of DatasetRef to Manifest
        The versions to check.
    manifests : dict of DatasetRef to Manifest
        All versions of the store, to say which ones a fault affects.
    progress : Progress, optional
        Called with bytes.
    """
    uses: dict[str, list[tuple[DatasetRef, Part]]] = {}
    for ref, manifest in named_by.items():
        for part in manifest.parts:
            uses.setdefault(part.name, []).append((ref, part))
    stored = store.list_parts(dataset) if uses else {}
    total, done, faults = sum(stored[name].size for name in uses if name in stored), 0, []

    def check(name: str) -> list[Fault]:
        return list(_check_part(store, dataset, name, stored.get(name), uses[name], manifests))

    found = map_parallel(check, uses)
    for name, part_faults in zip(uses, found, strict=True):
        faults += part_faults
        done += stored[name].size if name in stored else 0
        if progress:
            progress(f"checking {dataset}", done, total)
    return faults


def _check_part(
    store: Store,
    dataset: str,
    name: str,
    entry: Entry | None,
    named: Sequence[tuple[DatasetRef, Part]],
    manifests: Manifests,
) -> Iterator[Fault]:
    """The fault of a part that no version describes, or of the versions that describe it wrongly."""
    key, part = store.part_key(dataset, name), named[0][1]
    if entry is None:
        what, right = "gone", set()
    elif all(entry.size != part.bytes for _, part in named):
        what, right = f"{entry.size} bytes, its manifest says {part.bytes}", set()
    else:
        sha256 = store.storage.sha256(key)
        what = f"content with sha256 {sha256[:12]}, its manifest says {part.sha256[:12]}"
        right = {ref for ref, part in named if part.sha256 == sha256}
        if right and dataset in DATASETS and (problem := _check_footer(store, dataset, key, part)):
            what, right = problem, set()
    wrong = [ref for ref, _ in named if ref not in right]
    if wrong and not right:
        remedy = "run again to compute it" if entry is None else "set it aside with --repair, then run again"
        yield _fault(store.storage.locate(key), what, manifests, wrong, remedy, "" if entry is None else key, wrong)
    for ref in wrong if right else ():
        what = f"names another content of {name} than {min(right)}, which is right"
        where = store.storage.locate(store.version_key(ref))
        yield _fault(where, what, manifests, [ref], "give it up with --repair", broken=[ref])


def _check_footer(store: Store, dataset: str, key: str, part: Part) -> str:
    """What is wrong with the schema or the number of rows of a part; empty if nothing is."""
    where = store.storage.locate(key)
    try:
        with store.storage.open(key) as stream:
            rows = read_footer(dataset, stream, where)
    except StoreError as error:
        return str(error).removeprefix(f"{where}: ").split(";")[0]
    return "" if part.rows in (None, rows) else f"{rows} rows, its manifest says {part.rows}"


def _check_unpublished(store: Store, dataset: str, manifests: Manifests) -> Iterator[Fault]:
    """Unreadable parts that no manifest names: a run would take them for finished work."""
    named = {part.name for manifest in manifests.values() for part in manifest.parts}
    for name in store.list_parts(dataset) if dataset in DATASETS else ():
        key = store.part_key(dataset, name)
        where = store.storage.locate(key)
        if name not in named:
            try:
                with store.storage.open(key) as stream:
                    decode(dataset, stream, None, where)
            except DamageError as error:
                what = str(error).removeprefix(f"{where}: ").split(";")[0]
                yield Fault(where, what, (), "set it aside with --repair, then run again", key)


def _check_ancestors(store: Store, published: Manifests, manifests: Manifests) -> list[Fault]:
    """Versions whose ancestors are gone; of old versions only those whose ancestors have no manifest either."""
    current = {store.latest(dataset) for dataset in EVERY}
    faults = []
    for ref, manifest in published.items():
        for parent in _parents(manifest):
            if parent not in published and (ref in current or parent not in manifests):
                where = store.storage.locate(store.version_key(ref))
                remedy = "run again to make its ancestors, or roll back"
                faults.append(_fault(where, f"made from {parent}, which is gone", manifests, [ref], remedy))
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
        _fault(where, message.removeprefix(f"{where}: ").split(";")[0], sound, [ref], remedy, key)
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
            pending += _parents(sound[ref])
        except DamageError as error:
            where = store.storage.locate(key)
            what = str(error).removeprefix(f"{where}: ").split(";")[0]
            remedy = "set it aside with --repair, then run again to publish it"
            faults[ref] = Fault(where, what, (str(ref),), remedy, key)
    return sound, list(faults.values())


def _fault(
    where: str,
    what: str,
    manifests: Manifests,
    refs: Iterable[DatasetRef],
    remedy: str,
    key: str = "",
    broken: Sequence[DatasetRef] = (),
) -> Fault:
    """A fault of the versions `refs`, which affects these and all that were made from them."""
    affected = set(refs)
    while more := {
        ref for ref, manifest in manifests.items() if ref not in affected and affected & set(_parents(manifest))
    }:
        affected |= more
    return Fault(where, what, tuple(map(str, sorted(affected))), remedy, key, tuple(broken))


def _parents(manifest: Manifest) -> list[DatasetRef]:
    return [DatasetRef(*parent) for parent in manifest.parents.items()]
