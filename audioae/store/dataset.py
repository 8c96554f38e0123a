"""Datasets in a store: parts are written once, a manifest publishes them, LATEST says which version is current.

    <root>/<dataset>/parts/<name>                immutable
    <root>/<dataset>/versions/<version>.json     written last, and only if absent
    <root>/<dataset>/LATEST                      replaced atomically

Conventions
-----------
- A part's name begins with the fingerprint of what it was computed from. If the part is there, the work is done:
  that is how a rerun, a retry, a run after a crash and tomorrow's run on a grown catalog are all the same.
- Readers go by a manifest, never by listing parts. Parts that no manifest names are invisible until `prune`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from audioae.errors import StoreError
from audioae.store.manifest import FORMAT, DatasetRef, Manifest, Part
from audioae.store.schemas import check_schema, schema_of, with_added, without_added
from audioae.store.storage import Storage

# zstd for what compresses; embeddings do not, and plain pages read four times faster.
COMPRESSION = {"embeddings": "none"}


class Store:
    """A store of datasets under one root: a folder, or `s3://bucket/prefix`."""

    def __init__(self, root: str):
        self.storage = Storage(root)
        self.root = root

    # Parts

    def has_part(self, dataset: str, fingerprint: str) -> bool:
        return self.storage.exists(_part_key(dataset, f"{fingerprint}.parquet"))

    def part_fingerprints(self, dataset: str) -> set[str]:
        """Fingerprints of every part there is, published or not, in one listing."""
        return {key.rsplit("/", 1)[1].removesuffix(".parquet") for key in self.storage.list(f"{dataset}/parts")}

    def write_part(self, dataset: str, fingerprint: str, table: pa.Table) -> None:
        """Write one part; one that is there stays as it is. Raises `StoreError` if `table` breaks the contract."""
        key = _part_key(dataset, f"{fingerprint}.parquet")
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
        """Publish parts that are there as one version, and make it LATEST."""
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
        """Write the manifest (if absent), then point LATEST at it."""
        ref = manifest.ref
        if not self.has_version(ref):
            self.storage.write(
                _version_key(ref), json.dumps(manifest.model_dump(mode="json"), indent=1, sort_keys=True).encode()
            )
        self.set_latest(ref)
        return ref

    def has_version(self, ref: DatasetRef) -> bool:
        return self.storage.exists(_version_key(ref))

    def latest(self, dataset: str) -> DatasetRef | None:
        """The current version of `dataset`, or None if nothing was ever published."""
        key = f"{dataset}/LATEST"
        if not self.storage.exists(key):
            return None
        return DatasetRef(dataset, self.storage.read(key).decode().strip())

    def set_latest(self, ref: DatasetRef) -> None:
        if self.latest(ref.dataset) != ref:
            self.storage.write(f"{ref.dataset}/LATEST", f"{ref.version}\n".encode())

    def require(self, dataset: str) -> DatasetRef:
        """The current version of `dataset`. Raises `StoreError` if there is none."""
        ref = self.latest(dataset)
        if ref is None:
            raise StoreError(
                f"{self.storage.locate('')}: the store has no {dataset} yet; run the pipeline first "
                "(python -m flows.pipeline CONFIG), or name the store with --store"
            )
        return ref

    def manifest(self, ref: DatasetRef) -> Manifest:
        """What is written down about `ref`. Raises `StoreError` if it is unknown, damaged, or of a newer format."""
        key = _version_key(ref)
        where = self.storage.locate(key)
        if not self.has_version(ref):
            raise StoreError(f"{where}: no version {ref}; `audioae versions` lists those there are")
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
        if manifest.dataset in ("model", "index"):
            return manifest
        if manifest.schema_version > schema_of(manifest.dataset).version:
            raise StoreError(
                f"{where}: {manifest.dataset} has schema version {manifest.schema_version}, this audioae reads up to "
                f"{schema_of(manifest.dataset).version}; upgrade audioae"
            )
        return manifest

    def find(self, dataset: str, recipe: str) -> DatasetRef | None:
        """A version that was made by `recipe`; LATEST is looked at first."""
        latest = self.latest(dataset)
        others = [ref for ref, _ in self.versions(dataset) if ref != latest]
        refs = ([latest] if latest else []) + others
        return next((ref for ref in refs if self.manifest(ref).recipe == recipe), None)

    def versions(self, dataset: str) -> list[tuple[DatasetRef, Any]]:
        """Every published version with its time of writing, newest first."""
        found = self.storage.list(f"{dataset}/versions").items()
        dated = [(DatasetRef(dataset, key.rsplit("/", 1)[1].removesuffix(".json")), time) for key, time in found]
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

    def verify(self, ref: DatasetRef) -> None:
        """Hash every part of `ref` against its manifest. Raises `StoreError` naming the first that differs."""
        for part in self.manifest(ref).parts:
            key = _part_key(ref.dataset, part.name)
            if hashlib.sha256(self.storage.read(key)).hexdigest() != part.sha256:
                raise StoreError(
                    f"{self.storage.locate(key)}: content differs from the manifest of {ref}; recompute it"
                )

    def _read(self, dataset: str, name: str, columns: Sequence[str] | None, part: Part | None = None) -> pa.Table:
        key = _part_key(dataset, name)
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
        key = _part_key(dataset, name)
        content = self.storage.read(key)
        rows = pq.read_metadata(pa.BufferReader(content)).num_rows
        return Part(name=name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), rows=rows)

    def _known_parts(self, dataset: str) -> dict[str, Part]:
        """Parts of the current version: what is described there need not be hashed again."""
        latest = self.latest(dataset)
        return {part.name: part for part in self.manifest(latest).parts} if latest else {}


def _part_key(dataset: str, name: str) -> str:
    return f"{dataset}/parts/{name}"


def _version_key(ref: DatasetRef) -> str:
    return f"{ref.dataset}/versions/{ref.version}.json"
