"""Datasets in a store: parts are written once, a manifest publishes them, and LATEST names the current version.

    <root>/<dataset>/parts/<name>                immutable
    <root>/<dataset>/versions/<version>.json     written last, and only if absent
    <root>/<dataset>/LATEST                      replaced atomically

Conventions
-----------
- A part is named by the fingerprint of what it was computed from. If the part exists, the work is done. A rerun, a
  retry, a run after a crash and a run on a larger catalog therefore all do the same: they compute missing parts.
- Readers follow a manifest and never list parts. Parts that are in no manifest are invisible; `prune` deletes them.
- A dataset that was renamed is written under its new name. What exists only under a former name is read from there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from audioae.errors import StoreError
from audioae.store.manifest import FORMAT, DatasetRef, Manifest, Part
from audioae.store.schemas import check_schema, names_of, schema_of, with_added, without_added
from audioae.store.storage import Storage

if TYPE_CHECKING:
    import pyarrow.dataset

# Everything compresses with zstd but embeddings, which do not compress and read four times faster without it.
COMPRESSION = {"embeddings": "none"}
ARTIFACTS = ("model", "index")


class Store:
    """A store of datasets under one root: a folder, or `s3://bucket/prefix`."""

    def __init__(self, root: str):
        self.storage = Storage(root)
        self.root = root

    # Parts

    def has_part(self, dataset: str, fingerprint: str) -> bool:
        return self.storage.exists(self.part_key(dataset, f"{fingerprint}.parquet"))

    def part_fingerprints(self, dataset: str) -> set[str]:
        """Fingerprints of all existing parts, published or not, in one listing."""
        keys = self._list(dataset, "parts")
        return {key.rsplit("/", 1)[1].removesuffix(".parquet") for key in keys}

    def write_part(self, dataset: str, fingerprint: str, table: pa.Table) -> None:
        """Write one part, unless it exists. Raises `StoreError` if `table` breaks the contract of the dataset."""
        key = self.part_key(dataset, f"{fingerprint}.parquet")
        check_schema(dataset, table, self.storage.locate(key))
        if self.storage.exists(key):
            return
        sink = pa.BufferOutputStream()
        pq.write_table(
            table.cast(schema_of(dataset).schema),
            sink,
            compression=COMPRESSION.get(dataset, "zstd"),
            use_dictionary=[f.name for f in table.schema if pa.types.is_string(f.type)],  # pyright: ignore
        )
        self.storage.write(key, sink.getvalue())

    def read_part(self, dataset: str, fingerprint: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one part by fingerprint, whether or not it is published."""
        return self._read(dataset, f"{fingerprint}.parquet", columns)

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
        known = self._known_parts(dataset)
        parts = [known.get(f"{f}.parquet") or self._describe(dataset, f"{f}.parquet") for f in fingerprints]
        return self.publish(
            Manifest(
                dataset=dataset,
                schema_version=schema_of(dataset).version,
                recipe=recipe,
                config=dict(config),
                parents={ref.dataset: ref.version for ref in parents},
                parts=parts,
            )
        )

    def publish(self, manifest: Manifest) -> DatasetRef:
        """Write the manifest, unless it exists, then point LATEST at it."""
        ref = manifest.ref
        if not self.has_version(ref):
            content = json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True)
            self.storage.write(self.version_key(ref), content.encode())
        self.set_latest(ref)
        return ref

    def has_version(self, ref: DatasetRef) -> bool:
        return self.storage.exists(self.version_key(ref))

    def latest(self, dataset: str) -> DatasetRef | None:
        """The current version of `dataset`, or None if none was ever published."""
        key = self._key(dataset, "LATEST")
        if not self.storage.exists(key):
            return None
        return DatasetRef(dataset, self.storage.read(key).decode().strip())

    def set_latest(self, ref: DatasetRef) -> None:
        """Make `ref` the current version of its dataset."""
        if self.latest(ref.dataset) != ref:
            self.storage.write(f"{ref.dataset}/LATEST", f"{ref.version}\n".encode())

    def require(self, dataset: str) -> DatasetRef:
        """The current version of `dataset`. Raises `StoreError` if none was ever published."""
        ref = self.latest(dataset)
        if ref is None:
            raise StoreError(
                f"{self.storage.locate('')}: the store has no {dataset} yet; run the pipeline first "
                "(`audioae run CONFIG`), or name the store with --store"
            )
        return ref

    def manifest(self, ref: DatasetRef) -> Manifest:
        """The manifest of `ref`. Raises `StoreError` if it does not exist, is damaged, or has a newer format."""
        key = self.version_key(ref)
        where = self.storage.locate(key)
        if not self.storage.exists(key):
            raise StoreError(f"{where}: no version {ref}; `audioae versions` lists all versions")
        try:
            content = json.loads(self.storage.read(key))
            if content["format"] > FORMAT:
                raise StoreError(
                    f"{where}: written in store format {content['format']}, this audioae reads up to {FORMAT}; "
                    "upgrade audioae"
                )
            manifest = Manifest.model_validate(content)
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise StoreError(f"{where}: the manifest is damaged ({error}); restore it, or roll back") from error
        if ref.dataset in ARTIFACTS:
            return manifest
        if manifest.schema_version > schema_of(ref.dataset).version:
            raise StoreError(
                f"{where}: {ref.dataset} has schema version {manifest.schema_version}, this audioae reads up to "
                f"{schema_of(ref.dataset).version}; upgrade audioae"
            )
        return manifest

    def find(self, dataset: str, recipe: str) -> DatasetRef | None:
        """A version made by `recipe`, or None; the current version comes first."""
        latest = self.latest(dataset)
        others = [ref for ref, _ in self.versions(dataset) if ref != latest]
        refs = ([latest] if latest else []) + others
        return next((ref for ref in refs if self.manifest(ref).recipe == recipe), None)

    def versions(self, dataset: str) -> list[tuple[DatasetRef, Any]]:
        """Every published version with its time of writing, newest first."""
        keys = self._list(dataset, "versions").items()
        dated = [(DatasetRef(dataset, key.rsplit("/", 1)[1].removesuffix(".json")), time) for key, time in keys]
        return sorted(dated, key=lambda entry: (entry[1], entry[0]), reverse=True)

    # Reading

    def iter_parts(self, ref: DatasetRef, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The tables of `ref`, part by part, in the order of the manifest."""
        for part in self.manifest(ref).parts:
            yield self._read(ref.dataset, part.name, columns, part)

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

        Parameters
        ----------
        dataset : str or DatasetRef
            A version, or the name of a dataset, which means its current version.
        """
        import pyarrow.dataset

        ref = self._resolve(dataset)
        paths = [self.storage.path(self.part_key(ref.dataset, part.name)) for part in self.manifest(ref).parts]
        return pyarrow.dataset.FileSystemDataset.from_paths(
            paths,
            schema=schema_of(ref.dataset).schema,
            format=pyarrow.dataset.ParquetFileFormat(),
            filesystem=self.storage.filesystem,
        )

    def verify(self, ref: DatasetRef) -> None:
        """Hash every part of `ref`, in blocks. Raises `StoreError` naming the first that its manifest contradicts."""
        for part in self.manifest(ref).parts:
            key = self.part_key(ref.dataset, part.name)
            if self.storage.sha256(key) != part.sha256:
                raise StoreError(
                    f"{self.storage.locate(key)}: content differs from the manifest of {ref}; recompute it"
                )

    def _read(self, dataset: str, name: str, columns: Sequence[str] | None, part: Part | None = None) -> pa.Table:
        key = self.part_key(dataset, name)
        where = self.storage.locate(key)
        with self.storage.open(key) as stream:
            if part and stream.size() != part.bytes:
                raise StoreError(
                    f"{where}: {stream.size()} bytes, the manifest says {part.bytes}; delete it and run again"
                )
            try:
                file = pq.ParquetFile(stream)
                table = file.read(without_added(dataset, columns, file.schema_arrow.names))
            except (pa.ArrowException, OSError) as error:
                raise StoreError(f"{where}: not readable as Parquet ({error}); delete it and run again") from error
        table = with_added(dataset, table, columns)
        if columns is None:
            check_schema(dataset, table, where)
        return table

    def _describe(self, dataset: str, name: str) -> Part:
        key = self.part_key(dataset, name)
        with self.storage.open(key) as stream:
            size, rows = stream.size(), pq.read_metadata(stream).num_rows
        return Part(name=name, sha256=self.storage.sha256(key), bytes=size, rows=rows)

    def _known_parts(self, dataset: str) -> dict[str, Part]:
        """Parts of the current version: their hashes are in its manifest and need not be computed again."""
        latest = self.latest(dataset)
        return {part.name: part for part in self.manifest(latest).parts} if latest else {}

    # Keys

    def part_key(self, dataset: str, name: str) -> str:
        """The key of a part, by its name in a manifest."""
        return self._key(dataset, f"parts/{name}")

    def version_key(self, ref: DatasetRef) -> str:
        """The key of a manifest."""
        return self._key(ref.dataset, f"versions/{ref.version}.json")

    def _key(self, dataset: str, path: str) -> str:
        """The key of an object of `dataset`; under a former name of the dataset if it exists only there."""
        name, *former = names_of(dataset)
        key = f"{name}/{path}"
        if not former or self.storage.exists(key):
            return key
        return next((old for one in former if self.storage.exists(old := f"{one}/{path}")), key)

    def _list(self, dataset: str, folder: str) -> dict[str, Any]:
        """Keys and times of writing in a folder of `dataset`, under all of its names."""
        return {key: time for name in names_of(dataset) for key, time in self.storage.list(f"{name}/{folder}").items()}

    def _resolve(self, dataset: str | DatasetRef) -> DatasetRef:
        return dataset if isinstance(dataset, DatasetRef) else self.require(dataset)
