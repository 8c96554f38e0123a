"""Where the objects of a dataset are: their keys, under the dataset's name or a former one.

<root>/<dataset>/parts/<name>                immutable
<root>/<dataset>/versions/<version>.json     written last, and only if absent
<root>/<dataset>/LATEST                      replaced atomically
<root>/<dataset>/quarantine/...              damaged objects, moved here by `audioae fsck --repair`
"""

import contextlib
import threading
from collections.abc import Iterator

from audioae.store.manifest import DatasetRef
from audioae.store.schemas import names_of
from audioae.store.snapshot import Snapshot
from audioae.store.storage import Entry, Storage


class Layout:
    """The keys of a store under one root: a folder, or `s3://bucket/prefix`."""

    def __init__(self, root: str):
        self.storage = Storage(root)
        self.root = root
        self._snapshots: dict[int, Snapshot] = {}  # by thread

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """List and parse only once while this lasts, in this thread; one within another changes nothing."""
        thread = threading.get_ident()
        if thread in self._snapshots:
            yield
            return
        self._snapshots[thread] = Snapshot()
        try:
            yield
        finally:
            del self._snapshots[thread]

    @property
    def _snapshot(self) -> Snapshot | None:
        return self._snapshots.get(threading.get_ident())

    def refresh(self, dataset: str) -> None:
        """Forget what the snapshot, if there is one, knows of a dataset."""
        if self._snapshot is not None:
            self._snapshot.parts.pop(dataset, None)
            self._snapshot.described.pop(dataset, None)
            for ref in [ref for ref in self._snapshot.manifests if ref.dataset == dataset]:
                del self._snapshot.manifests[ref]

    def part_key(self, dataset: str, name: str) -> str:
        """The key of a part, by its name in a manifest."""
        return self._key(dataset, f"parts/{name}")

    def version_key(self, ref: DatasetRef) -> str:
        """The key of a manifest."""
        return self._key(ref.dataset, f"versions/{ref.version}.json")

    def lost_key(self, ref: DatasetRef) -> str:
        """The key of the manifest of a version whose parts are gone."""
        return f"{ref.dataset}/lost/{ref.version}.json"

    def retries_key(self, ref: DatasetRef) -> str:
        """The key of what is kept beside a manifest of `rejects`: when its failures are tried again."""
        return f"{ref.dataset}/retries/{ref.version}.json"

    def superseded_key(self, ref: DatasetRef) -> str:
        """The key of the mark of a version that is no longer current."""
        return f"{ref.dataset}/superseded/{ref.version}"

    def list_superseded(self, dataset: str) -> dict[DatasetRef, Entry]:
        """The versions that were current, and when they ceased to be."""
        entries = self._list(dataset, "superseded").items()
        return {DatasetRef(dataset, name): entry for name, entry in entries}

    def latest_key(self, dataset: str) -> str:
        """The key of LATEST."""
        return self._key(dataset, "LATEST")

    def list_parts(self, dataset: str) -> dict[str, Entry]:
        """All parts of `dataset`, published or not, by their names in manifests."""
        if self._snapshot is None:
            return self._list(dataset, "parts")
        if dataset not in self._snapshot.parts:
            self._snapshot.parts[dataset] = self._list(dataset, "parts")
        return self._snapshot.parts[dataset]

    def list_manifests(self, dataset: str) -> dict[DatasetRef, Entry]:
        """The manifests of `dataset`, readable or not, by version."""
        entries = self._list(dataset, "versions").items()
        return {DatasetRef(dataset, name.removesuffix(".json")): entry for name, entry in entries}

    def manifest_keys(self, dataset: str) -> list[tuple[DatasetRef, str]]:
        """Every manifest, also those of versions whose parts are gone, by version and key."""
        refs = [(ref, self.version_key(ref)) for ref in self.list_manifests(dataset)]
        lost = self.storage.list(f"{dataset}/lost")
        return refs + [(DatasetRef(dataset, key.rsplit("/", 1)[1].removesuffix(".json")), key) for key in lost]

    def _key(self, dataset: str, path: str) -> str:
        """The key of an object of `dataset`; under a former name of the dataset if it exists only there."""
        name, *former = names_of(dataset)
        key = f"{name}/{path}"
        if not former or self.storage.exists(key):
            return key
        return next((old for one in former if self.storage.exists(old := f"{one}/{path}")), key)

    def _list(self, dataset: str, folder: str) -> dict[str, Entry]:
        """What is in a folder of `dataset` under all of its names; the present name goes first."""
        return {
            key.removeprefix(f"{name}/{folder}/"): entry
            for name in reversed(names_of(dataset))
            for key, entry in self.storage.list(f"{name}/{folder}").items()
        }
