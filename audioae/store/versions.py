"""Versions of datasets: publishing them, and finding those that are whole.

Conventions
-----------
- A lookup (`latest`, `find`) counts a version only if it is whole: its manifest is sound, and every part is there with
  the right size. What is damaged is skipped with a warning, so that one bad object never stops a run.
- If LATEST is damaged or gone, or names such a version, the newest whole version takes its place.
- Versions are ordered by the time in their manifests. Manifests of format 1 have none: they are older than all others,
  and ordered by the time when their objects were written.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from audioae.errors import DamageError, StoreError
from audioae.store.latest import Latest, parse_latest
from audioae.store.layout import Layout
from audioae.store.manifest import DatasetRef, Manifest, Part, manifest_bytes, parse_manifest
from audioae.store.schemas import DATASETS, names_of
from audioae.store.storage import Entry

_log = logging.getLogger(__name__)


class Versions(Layout):
    """The versions of all datasets of a store."""

    def manifest(self, ref: DatasetRef) -> Manifest:
        """The manifest of `ref`, also if its parts are gone.

        Raises
        ------
        DamageError
            If it does not exist or is damaged.
        StoreError
            If a newer audioae wrote it.
        """
        if self._snapshot is not None and ref in self._snapshot.manifests:
            return self._snapshot.manifests[ref]
        found = next((key for key in (self.version_key(ref), self.lost_key(ref)) if self.storage.exists(key)), None)
        if found is None:
            where = self.storage.locate(self.version_key(ref))
            raise DamageError(f"{where}: no version {ref}; `audioae versions` lists all versions")
        return self._published_manifest(ref) if found == self.version_key(ref) else self.parse(ref, found)

    def parse(self, ref: DatasetRef, key: str) -> Manifest:
        """The manifest under `key`, as that of `ref`; see `manifest`."""
        where = self.storage.locate(key)
        manifest = parse_manifest(self.storage.read(key), ref.version, where)
        if manifest.dataset not in names_of(ref.dataset):
            raise DamageError(f"{where}: it is a manifest of {manifest.dataset}; `audioae fsck --repair` sets it aside")
        known = DATASETS[ref.dataset].version if ref.dataset in DATASETS else manifest.schema_version
        if manifest.schema_version > known:
            raise StoreError(
                f"{where}: {ref.dataset} has schema version {manifest.schema_version}, this audioae reads up to "
                f"{known}; upgrade audioae"
            )
        return manifest

    def has_version(self, ref: DatasetRef) -> bool:
        """Whether `ref` was published and is whole."""
        return bool(self._whole([ref]))

    def whole_versions(self, dataset: str) -> list[DatasetRef]:
        """The versions that a lookup counts, newest first."""
        return self._whole([ref for ref, *_ in self._history(dataset)])

    def versions(self, dataset: str) -> list[tuple[DatasetRef, datetime]]:
        """Every version with a sound manifest, and when it was published, newest first."""
        return [(ref, time) for ref, _, time in self._history(dataset)]

    def latest(self, dataset: str) -> DatasetRef | None:
        """The current version of `dataset`; None if none was ever published, or none is whole."""
        try:
            ref = DatasetRef(dataset, self.read_latest(dataset).version)
            if self.has_version(ref):
                return ref
            problem = f"{ref} is current, but not whole"
        except DamageError as error:
            problem = str(error)
        whole = self.whole_versions(dataset)
        if not whole:
            self.storage.check_bucket()
            return None
        _warn(f"{problem}; {whole[0]} is used instead, `audioae fsck` says what is wrong")
        return whole[0]

    def require(self, dataset: str) -> DatasetRef:
        """The current version of `dataset`. Raises `StoreError` if none was ever published, or none is whole."""
        ref = self.latest(dataset)
        if ref is None and self.list_manifests(dataset):
            raise DamageError(
                f"{self.storage.locate(dataset)}: no version of {dataset} is whole; `audioae fsck` says what is "
                "wrong, `audioae fsck --repair` and a new run make it again"
            )
        if ref is None:
            raise StoreError(
                f"{self.storage.locate('')}: the store has no {dataset} yet; run the pipeline first "
                "(`audioae run CONFIG`), or name the store with --store"
            )
        return ref

    def find(self, dataset: str, recipe: str) -> DatasetRef | None:
        """A whole version made by `recipe`, or None; the current version comes first."""
        latest = self.latest(dataset)
        if latest and self.manifest(latest).recipe == recipe:
            return latest
        made = self._whole([ref for ref, its, _ in self._history(dataset) if its == recipe])
        return made[0] if made else None

    # Publishing

    def publish(self, manifest: Manifest, *, replace: bool = False) -> DatasetRef:
        """Write the manifest, unless the version exists and is whole, and make it current unless a pin forbids it.

        Raises
        ------
        DamageError
            If parts of the version are gone, as when `prune` deletes them at this moment.
        """
        ref = manifest.ref
        pointer = self.pointer(ref.dataset)
        if not replace and pointer and pointer.version == ref.version and self.has_version(ref):
            return ref
        self.refresh(ref.dataset)
        if replace or not self.has_version(ref):
            self._write(manifest)
        self.make_current(ref)
        self.refresh(ref.dataset)
        if not self.has_version(ref):  # `prune` deleted an old manifest just before it became current
            self._write(manifest)
            if not self.has_version(ref):
                raise DamageError(f"{ref}: parts of it were deleted while it was published; run again")
        return ref

    def _write(self, manifest: Manifest) -> None:
        dated = manifest.model_copy(update={"published_at": self._now(manifest.dataset)})
        self.storage.write(self.version_key(manifest.ref), manifest_bytes(dated))

    def give_up(self, ref: DatasetRef) -> None:
        """No longer count `ref` as a version, because parts of it are gone; its manifest remains as a record."""
        key = self.version_key(ref)
        self.refresh(ref.dataset)
        with contextlib.suppress(DamageError):  # a manifest that is damaged or missing records nothing
            self.parse(ref, key)
            self.storage.move(key, self.lost_key(ref))

    def make_current(self, ref: DatasetRef) -> DatasetRef:
        """Make `ref` the current version of its dataset, unless a rollback pinned another; returns the current one."""
        dataset = ref.dataset
        latest = self.pointer(dataset)
        if latest and latest.pin and latest.version != ref.version:
            pinned = DatasetRef(dataset, latest.version)
            if latest.pin.holds(self.manifest(ref).recipe) and self.has_version(pinned):
                _log.warning(
                    f"{pinned} is pinned and stays current: {ref}, from the same inputs as before the rollback, does "
                    f"not replace it; `audioae rollback {dataset} --release` ends that"
                )
                return pinned
            _log.warning(f"{pinned} is no longer pinned: {ref} was made from other inputs and is current now")
        if latest is None or latest.version != ref.version:
            self.write_latest(dataset, Latest(ref.version))
        return ref

    def read_latest(self, dataset: str) -> Latest:
        """The content of LATEST. Raises `DamageError` if it is missing or damaged."""
        key = self.latest_key(dataset)
        try:
            return parse_latest(self.storage.read(key))
        except ValueError as error:
            raise DamageError(f"{self.storage.locate(key)} is damaged: {error}") from error

    def write_latest(self, dataset: str, latest: Latest) -> None:
        """Replace LATEST, under the present name of the dataset, and mark the version that it named until now."""
        before = self.pointer(dataset)
        if before and before.version != latest.version:
            self.storage.write(self.superseded_key(DatasetRef(dataset, before.version)), b"")
        self.storage.write(f"{dataset}/LATEST", latest.to_bytes())

    def pointer(self, dataset: str) -> Latest | None:
        """The content of LATEST, whether or not it names a whole version; None if it is missing or damaged."""
        with contextlib.suppress(DamageError):
            return self.read_latest(dataset)

    # Helpers

    def _sound(self, dataset: str) -> Iterator[tuple[DatasetRef, Manifest, datetime]]:
        """Every sound manifest with its time, in no order; one at a time, because many are large together."""
        for ref, entry in self.list_manifests(dataset).items():
            try:
                manifest = self.parse(ref, self.version_key(ref))
            except DamageError as error:
                if self.storage.exists(self.version_key(ref)):  # else it was pruned just now
                    _warn(f"skipped {ref}: {error}")
                continue
            yield ref, manifest, manifest.published_at or entry.time

    def _history(self, dataset: str) -> list[tuple[DatasetRef, str, datetime]]:
        """Every version with a sound manifest, its recipe and its time, newest first."""
        found = [
            (manifest.published_at is not None, time, ref, manifest.recipe)
            for ref, manifest, time in self._sound(dataset)
        ]
        return [(ref, recipe, time) for _, time, ref, recipe in sorted(found, reverse=True)]

    def _whole(self, refs: list[DatasetRef]) -> list[DatasetRef]:
        """Those of several versions of one dataset that are whole.

        Parts are listed after the manifests were read, so that what is published meanwhile is complete here.
        """
        was_listed = bool(refs and self._snapshot and refs[0].dataset in self._snapshot.parts)
        sound = []
        for ref in refs:
            with contextlib.suppress(DamageError):
                sound.append((ref, self._published_manifest(ref).parts))
        stored = self.list_parts(refs[0].dataset) if sound else {}
        whole = [ref for ref, parts in sound if not missing_parts(parts, stored)]
        if was_listed and len(whole) < len(sound):  # what is missing may have been written since
            self.refresh(refs[0].dataset)
            return self._whole(refs)
        return whole

    def _published_manifest(self, ref: DatasetRef) -> Manifest:
        """The manifest of `ref`, unless its parts are gone."""
        if self._snapshot is None:
            return self.parse(ref, self.version_key(ref))
        if ref not in self._snapshot.manifests:
            self._snapshot.manifests[ref] = self.parse(ref, self.version_key(ref))
        return self._snapshot.manifests[ref]

    def _now(self, dataset: str) -> datetime:
        """The present, or just after the newest version if the clock was set back.

        The newest version is the one that was written last, or the current one; where a file is younger than the
        present, it may be any.
        """
        now, entries, pointer = datetime.now(UTC), self.list_manifests(dataset), self.pointer(dataset)
        last = max((entry.time for entry in entries.values()), default=now)
        newest = [
            ref
            for ref, entry in entries.items()
            if last > now or entry.time >= last - timedelta(seconds=2) or (pointer and ref.version == pointer.version)
        ]
        times = [time for ref in newest for time in self._time_of(ref)]
        return max([now, *(time + timedelta(microseconds=1) for time in times)])

    def _time_of(self, ref: DatasetRef) -> list[datetime]:
        with contextlib.suppress(DamageError):
            time = self._published_manifest(ref).published_at
            return [time] if time else []
        return []


def missing_parts(parts: Iterable[Part], stored: Mapping[str, Entry]) -> list[Part]:
    """Those of the `parts` that are not `stored`, or not with the right size."""
    return [part for part in parts if part.name not in stored or stored[part.name].size != part.bytes]


@cache
def _warn(message: str) -> None:
    """Log a warning once per process."""
    _log.warning(message)
