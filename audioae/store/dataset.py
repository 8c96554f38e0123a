"""Datasets in a store: parts are written once, a manifest publishes them, and LATEST names the current version.

Conventions
-----------
- A part is named by the fingerprint of what it was computed from. If the part exists, the work is done. A rerun, a
  retry, a run after a crash and a run on a larger catalog therefore all do the same: they compute missing parts.
- Readers follow a manifest and never list parts. Parts that are in no manifest are invisible; `prune` deletes them.
- A part counts as existing if it has the size that a manifest records for it; a part that no manifest names, if it is
  not empty.
- A store hashes every published part once, when it is first read: what goes into the next version is what was
  published. `Store(root, verify=False)` is for readers that only answer; they check sizes and the checksums of pages.
- A dataset that was renamed is written under its new name. What exists only under a former name is read from there.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from audioae.errors import DamageError, StoreError
from audioae.store.cache import cache_folder
from audioae.store.manifest import DatasetRef, Manifest, Part
from audioae.store.parallel import map_parallel
from audioae.store.parquet import MIN_BYTES, count_rows, decode, decode_blocks, encode
from audioae.store.part_writer import PartWriter
from audioae.store.schemas import schema_of
from audioae.store.snapshot import FamiliarParts
from audioae.store.storage import Entry
from audioae.store.upgrade import check_schema
from audioae.store.versions import Versions, missing_parts

if TYPE_CHECKING:
    import pyarrow.dataset


class Store(Versions):
    """A store of datasets under one root: a folder, or `s3://bucket/prefix`.

    Parameters
    ----------
    root : str
    verify : bool
        Whether published parts are hashed when they are read.
    """

    def __init__(self, root: str, *, verify: bool = True):
        super().__init__(root)
        self.verify_reads = verify
        self._published: dict[str, dict[str, dict[str, Part]]] = {}
        self._familiar: dict[str, FamiliarParts] = {}
        self._verified: set[str] = set()

    def refresh(self, dataset: str) -> None:
        """Forget what is known of a dataset: its listing, its manifests, and what these say of parts."""
        super().refresh(dataset)
        self._published.pop(dataset, None)
        self._familiar.pop(dataset, None)

    # Parts

    def has_part(self, dataset: str, fingerprint: str) -> bool:
        name = f"{fingerprint}.parquet"
        if self._snapshot is None:
            size = self.storage.size(self.part_key(dataset, name))
        else:
            entry = self.list_parts(dataset).get(name)
            size = entry.size if entry else None
        return size is not None and self._counts(dataset, name, size)

    def part_fingerprints(self, dataset: str) -> set[str]:
        """Fingerprints of all existing parts, published or not, in one listing."""
        stored = self.list_parts(dataset).items()
        return {name.removesuffix(".parquet") for name, entry in stored if self._counts(dataset, name, entry.size)}

    def write_part(self, dataset: str, fingerprint: str, table: pa.Table) -> None:
        """Write one part, unless it exists. Raises `StoreError` if `table` breaks the contract of the dataset."""
        name = f"{fingerprint}.parquet"
        key = self.part_key(dataset, name)
        check_schema(dataset, table, self.storage.locate(key))
        if self.has_part(dataset, fingerprint):
            return
        content = encode(dataset, table)
        self._give_up_others(dataset, name, lambda: hashlib.sha256(content).hexdigest())
        self.storage.write(key, content)
        self._written(dataset, name, content.size)

    @contextlib.contextmanager
    def part_writer(self, dataset: str) -> Iterator[PartWriter]:
        """Write one part block by block: the same part as `write_part` makes of all rows at once.

        It appears when `finish` is called with its fingerprint; without that call, nothing is stored.
        """

        def store_file(fingerprint: str, path: Path, sha256: str) -> None:
            name = f"{fingerprint}.parquet"
            if not self.has_part(dataset, fingerprint):
                self._give_up_others(dataset, name, lambda: sha256)
                n_bytes = path.stat().st_size
                self.storage.move_file(self.part_key(dataset, name), path)
                self._written(dataset, name, n_bytes)

        with self.storage.staging(f"{dataset}/parts", cache_folder()) as folder:
            yield PartWriter(dataset, folder / "part.parquet", store_file)

    def read_part(self, dataset: str, fingerprint: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one part by fingerprint, whether or not it is published."""
        name = f"{fingerprint}.parquet"
        if part := self._familiar_parts(dataset).get(name):
            with contextlib.suppress(DamageError):  # another version may say otherwise
                return self._read(dataset, name, columns, [part])
        return self._read(dataset, name, columns, self.published_parts(dataset).get(name, {}).values())

    def read_parts(
        self, dataset: str, parts: Iterable[Part], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Read published parts, several at a time; the tables come in their order, and few wait in memory."""
        return map_parallel(lambda part: self.read_published(dataset, part, columns), parts)

    def read_published(self, dataset: str, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one part, which must be as a manifest says."""
        return self._read(dataset, part.name, columns, [part])

    def part_blocks(
        self, dataset: str, fingerprint: str, columns: Sequence[str] | None = None, *, rows: int = 1024
    ) -> Iterator[pa.Table]:
        """Read one part in blocks of at most `rows` rows; it is hashed before the first, if it is published."""
        name = f"{fingerprint}.parquet"
        key = self.part_key(dataset, name)
        where, part = self.storage.locate(key), self._familiar_parts(dataset).get(name)
        published = {part.sha256: part} if part else self.published_parts(dataset).get(name, {})
        if published and self.verify_reads and key not in self._verified:
            if self.storage.sha256(key) not in published:
                raise _changed(where, f"a version of {dataset}")
            self._verified.add(key)
        with self.storage.open(key, mapped=False) as stream:
            yield from decode_blocks(dataset, stream, columns, where, rows)

    def is_published(self, dataset: str, fingerprint: str) -> bool:
        """Whether a manifest of `dataset` names this part."""
        name = f"{fingerprint}.parquet"
        return name in self._familiar_parts(dataset) or name in self.published_parts(dataset)

    def published_parts(self, dataset: str) -> dict[str, dict[str, Part]]:
        """What the manifests of `dataset` record about each part, by name and SHA-256; read once per publication."""
        if dataset not in self._published:
            parts: dict[str, dict[str, Part]] = {}
            for _, manifest, _ in self._sound(dataset):
                for part in manifest.parts:
                    parts.setdefault(part.name, {})[part.sha256] = part
            self._published[dataset] = parts
        return self._published[dataset]

    # Versions

    def commit(
        self,
        dataset: str,
        fingerprints: Iterable[str],
        *,
        recipe: str,
        config: Mapping[str, Any],
        parents: Iterable[DatasetRef] = (),
    ) -> DatasetRef:
        """Publish existing parts as one version, and make it the current one."""
        return self.publish(
            Manifest(
                dataset=dataset,
                schema_version=schema_of(dataset).version,
                recipe=recipe,
                config=dict(config),
                parents={ref.dataset: ref.version for ref in parents},
                parts=self.describe(dataset, fingerprints),
            )
        )

    def describe(self, dataset: str, fingerprints: Iterable[str]) -> list[Part]:
        """What a manifest says of existing parts.

        What another manifest says is taken from there, if the part has that size; other parts are read and hashed.
        """
        names = [f"{fingerprint}.parquet" for fingerprint in fingerprints]
        with self.snapshot():
            known, stored = self._familiar_parts(dataset), self.list_parts(dataset)
            parts = {name: part for name in names if (part := known.get(name)) and not missing_parts([part], stored)}
            described = self._snapshot.described.setdefault(dataset, {}) if self._snapshot else {}
            others = [name for name in names if name not in parts and name not in described]
            described |= zip(others, map_parallel(lambda name: self._describe(dataset, name), others), strict=True)
            parts |= {name: described[name] for name in names if name not in parts}
        return [parts[name] for name in names]

    def verify(self, ref: DatasetRef) -> None:
        """Hash every part of `ref`, in blocks. Raises `DamageError` naming the first that its manifest contradicts."""
        for part in self.manifest(ref).parts:
            key = self.part_key(ref.dataset, part.name)
            if self.storage.sha256(key) != part.sha256:
                raise _changed(self.storage.locate(key), str(ref))

    # Reading

    def iter_parts(self, ref: DatasetRef, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The tables of `ref`, part by part, in the order of the manifest."""
        for part in self.manifest(ref).parts:
            yield self.read_published(ref.dataset, part, columns)

    def read(self, ref: DatasetRef, columns: Sequence[str] | None = None) -> pa.Table:
        """All of `ref` as one table."""
        schema = schema_of(ref.dataset).schema
        empty = (schema if columns is None else pa.schema([schema.field(c) for c in columns])).empty_table()
        return pa.concat_tables([empty, *self.iter_parts(ref, columns)])

    def files(self, dataset: str | DatasetRef) -> list[str]:
        """Where the parts of a version are, in the order of its manifest: paths, or `s3://` addresses.

        Parameters
        ----------
        dataset : str or DatasetRef
            A version, or the name of a dataset or artifact, which means its current version.
        """
        ref = self._resolve(dataset)
        return [self.storage.locate(self.part_key(ref.dataset, part.name)) for part in self.manifest(ref).parts]

    def dataset(self, dataset: str | DatasetRef) -> "pyarrow.dataset.Dataset":
        """A version as a `pyarrow.dataset.Dataset`: exactly the parts of its manifest, in their order, read lazily.

        Its columns have the types of the version's schema. Mels that an older audioae stored, and a newer version took
        over, keep the type that they had: `part_blocks` reads both.

        Parameters
        ----------
        dataset : str or DatasetRef
            A version, or the name of a dataset, which means its current version.
        """
        import pyarrow.dataset

        ref = self._resolve(dataset)
        manifest = self.manifest(ref)
        paths = [self.storage.path(self.part_key(ref.dataset, part.name)) for part in manifest.parts]
        return pyarrow.dataset.FileSystemDataset.from_paths(
            paths,
            schema=schema_of(ref.dataset).stored_schema(manifest.schema_version),
            format=pyarrow.dataset.ParquetFileFormat(),
            filesystem=self.storage.filesystem,
        )

    # Helpers

    def _read(self, dataset: str, name: str, columns: Sequence[str] | None, published: Iterable[Part]) -> pa.Table:
        """Read a part, which must be as at least one of the manifests in `published` says, if there are any."""
        key = self.part_key(dataset, name)
        where = self.storage.locate(key)
        with self.storage.open(key) as stream:
            sizes = {part.bytes for part in published}
            if sizes and stream.size() not in sizes:
                wanted = " or ".join(map(str, sorted(sizes)))
                raise DamageError(
                    f"{where}: {stream.size()} bytes, the manifest says {wanted}; run again to compute it"
                )
            if not self.verify_reads or not sizes or key in self._verified:
                return decode(dataset, stream, columns, where)
            content = stream.read_buffer(stream.size())
            if hashlib.sha256(content).hexdigest() not in {part.sha256 for part in published}:
                raise _changed(where, f"a version of {dataset}")
            self._verified.add(key)
            return decode(dataset, content, columns, where)

    def _counts(self, dataset: str, name: str, size: int) -> bool:
        if (part := self._familiar_parts(dataset).get(name)) and part.bytes == size:
            return True
        published = self.published_parts(dataset).get(name)
        return size in {part.bytes for part in published.values()} if published else size >= MIN_BYTES

    def _describe(self, dataset: str, name: str) -> Part:
        key = self.part_key(dataset, name)
        with self.storage.open(key) as stream:
            size, rows = stream.size(), count_rows(stream, self.storage.locate(key))
        return Part(name=name, sha256=self.storage.sha256(key), bytes=size, rows=rows)

    def _familiar_parts(self, dataset: str) -> FamiliarParts:
        """What the current version, and versions that were read in this snapshot, say of their parts."""
        if dataset not in self._familiar:
            self._familiar[dataset] = FamiliarParts()
            if pointer := self.pointer(dataset):
                ref = DatasetRef(dataset, pointer.version)
                with contextlib.suppress(StoreError):
                    self._familiar[dataset].add(ref, self._published_manifest(ref))
        for ref, manifest in list(self._snapshot.manifests.items()) if self._snapshot else ():
            if ref.dataset == dataset:
                self._familiar[dataset].add(ref, manifest)
        return self._familiar[dataset]

    def _written(self, dataset: str, name: str, n_bytes: int) -> None:
        """Add a part that was written to the listing of the snapshot."""
        if self._snapshot is not None and dataset in self._snapshot.parts:
            self._snapshot.parts[dataset][name] = Entry(datetime.now(UTC), n_bytes)

    def _give_up_others(self, dataset: str, name: str, hash_of: Callable[[], str]) -> None:
        """Give up the versions that name a part which was lost, if it comes out with other bytes now."""
        if name not in self.published_parts(dataset):
            return
        sha256 = hash_of()
        for ref, manifest, _ in self._sound(dataset):
            if any(part.name == name and part.sha256 != sha256 for part in manifest.parts):
                self.give_up(ref)

    def _resolve(self, dataset: str | DatasetRef) -> DatasetRef:
        return dataset if isinstance(dataset, DatasetRef) else self.require(dataset)


def _changed(where: str, ref: str) -> DamageError:
    return DamageError(
        f"{where}: content differs from the manifest of {ref}; `audioae fsck --repair` sets it aside, then run again "
        "or roll back"
    )
