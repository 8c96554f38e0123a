"""Check the parts of one dataset against the manifests that name them, and describe what is wrong as faults.

Conventions
-----------
- A fault names one object, what is wrong with it, which versions it affects (those that name it, and all that were made
  from these), and what to do.
- Each part is hashed once, however many versions share it, and several at a time. Then its footer must give the schema
  of the dataset and the recorded number of rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from audioae.errors import DamageError, StoreError
from audioae.progress import Progress
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Manifest, Part
from audioae.store.parallel import map_parallel
from audioae.store.parquet import decode, read_footer
from audioae.store.schemas import DATASETS
from audioae.store.storage import Entry

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
        yield fault_of(store.storage.locate(key), what, manifests, wrong, remedy, "" if entry is None else key, wrong)
    for ref in wrong if right else ():
        what = f"names another content of {name} than {min(right)}, which is right"
        where = store.storage.locate(store.version_key(ref))
        yield fault_of(where, what, manifests, [ref], "give it up with --repair", broken=[ref])


def _check_footer(store: Store, dataset: str, key: str, part: Part) -> str:
    """What is wrong with the schema or the number of rows of a part; empty if nothing is."""
    where = store.storage.locate(key)
    try:
        with store.storage.open(key) as stream:
            rows = read_footer(dataset, stream, where)
    except StoreError as error:
        return str(error).removeprefix(f"{where}: ").split(";")[0]
    return "" if part.rows in (None, rows) else f"{rows} rows, its manifest says {part.rows}"


def check_unpublished(store: Store, dataset: str, manifests: Manifests) -> Iterator[Fault]:
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


def fault_of(
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
        ref for ref, manifest in manifests.items() if ref not in affected and affected & set(parents_of(manifest))
    }:
        affected |= more
    return Fault(where, what, tuple(map(str, sorted(affected))), remedy, key, tuple(broken))


def parents_of(manifest: Manifest) -> list[DatasetRef]:
    """What a version was made from."""
    return [DatasetRef(*parent) for parent in manifest.parents.items()]
