"""Artifacts: versions whose parts are files (a model's weights, an index) instead of tables; and their checkpoints.

Conventions
-----------
- The files of one artifact lie together in one folder below `parts/`, in the same kind of manifest as a
  dataset's parts.
- Derived files (metrics with timings, plots, gate.json) belong to the version but do not name it: on one machine a
  rerun gives the same weights, hence the same version, though its clock ran differently.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Manifest, Part


def commit_artifact(
    store: Store,
    name: str,
    files: Mapping[str, bytes],
    *,
    derived: Mapping[str, bytes],
    recipe: str,
    config: Mapping[str, Any],
    parents: Iterable[DatasetRef],
) -> DatasetRef:
    """Write `files` and `derived` files and publish them as one version of `name`; one that is there stays."""
    contents = {**files, **derived}
    digests = {file_name: hashlib.sha256(content).hexdigest() for file_name, content in contents.items()}
    folder = f"{recipe}-{fingerprint([digests[file_name] for file_name in files])[:8]}"
    parts = [
        Part(name=f"{folder}/{file_name}", sha256=digests[file_name], bytes=len(content), derived=file_name in derived)
        for file_name, content in contents.items()
    ]
    manifest = Manifest(
        dataset=name,
        schema_version=1,
        recipe=recipe,
        config=dict(config),
        parents={ref.dataset: ref.version for ref in parents},
        parts=parts,
    )
    if not store.has_version(manifest.ref):
        for part, content in zip(parts, contents.values(), strict=True):
            store.storage.write(f"{name}/parts/{part.name}", content)
    return store.publish(manifest)


def read_artifact(store: Store, ref: DatasetRef, file_name: str) -> bytes:
    """One file of an artifact, checked against its manifest.

    Raises
    ------
    StoreError
        If the artifact has no such file, or its content is not what was published.
    """
    part = artifact_part(store, ref, file_name)
    content = store.storage.read(f"{ref.dataset}/parts/{part.name}")
    if hashlib.sha256(content).hexdigest() != part.sha256:
        where = store.storage.locate(f"{ref.dataset}/parts/{part.name}")
        raise StoreError(f"{where}: content differs from the manifest of {ref}; roll back, or delete it and run again")
    return content


def artifact_part(store: Store, ref: DatasetRef, file_name: str) -> Part:
    """The manifest's entry of one file of an artifact."""
    parts = {part.name.rsplit("/", 1)[1]: part for part in store.manifest(ref).parts}
    if file_name not in parts:
        raise StoreError(f"{ref} has no file {file_name!r}; it has {', '.join(sorted(parts))}")
    return parts[file_name]


class CheckpointFile:
    """Where a training run of one recipe keeps its latest checkpoint, until its model is published."""

    def __init__(self, store: Store, recipe: str):
        self._storage = store.storage
        self._key = f"model/checkpoints/{recipe}.ckpt"

    def load(self) -> bytes | None:
        return self._storage.read(self._key) if self._storage.exists(self._key) else None

    def save(self, content: bytes) -> None:
        self._storage.write(self._key, content)

    def clear(self) -> None:
        self._storage.delete(self._key)
