"""Artifacts: versions that consist of files (the weights of a model, an index) instead of tables; and checkpoints.

Conventions
-----------
- The files of an artifact are in one folder below `parts/`. Their manifest has the format of a dataset's manifest.
- Derived files (metrics with timings, plots, gate.json) belong to the version, but do not change its name. A rerun on
  the same machine gives the same weights, and so the same version, although the timings differ.

Why `artifact_path` checks only the size for a query: an index is mapped, not read, and hashing 10 GB at each start
would cost more than the queries that follow. The hash is computed when the artifact is committed, when a file is
downloaded from S3, when something is to be published from it, and by `audioae fsck`.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audioae.config import fingerprint
from audioae.errors import DamageError, StoreError
from audioae.store.cache import cache_folder, cached_file
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Manifest, Part

_log = logging.getLogger(__name__)


def commit_artifact(
    store: Store,
    name: str,
    files: Mapping[str, bytes | Path],
    *,
    derived: Mapping[str, bytes | Path],
    recipe: str,
    config: Mapping[str, Any],
    parents: Iterable[DatasetRef],
) -> DatasetRef:
    """Write files and publish them as one version of `name`; a version that is there and whole is not written again.

    Parameters
    ----------
    files, derived : mapping of file name to bytes or Path
        Contents, or files that are moved into the store without being read into memory; `staging` is the folder for
        them.
    """
    contents = {**files, **derived}
    described = {file_name: _describe(content) for file_name, content in contents.items()}
    folder = f"{recipe}-{fingerprint([described[file_name][0] for file_name in files])[:8]}"
    parts = [
        Part(name=f"{folder}/{file_name}", sha256=sha256, bytes=size, derived=file_name in derived)
        for file_name, (sha256, size) in described.items()
    ]
    manifest = Manifest(
        dataset=name,
        schema_version=1,
        recipe=recipe,
        config=dict(config),
        parents={ref.dataset: ref.version for ref in parents},
        parts=parts,
    )
    missing = not store.has_version(manifest.ref)
    if missing:
        store.give_up(manifest.ref)  # its derived files get other bytes now
        for part, content in zip(parts, contents.values(), strict=True):
            key = store.part_key(name, part.name)
            if isinstance(content, Path):
                store.storage.move_file(key, content)
            else:
                store.storage.write(key, content)
    return store.publish(manifest, replace=missing)


@contextmanager
def staging(store: Store, name: str) -> Iterator[Path]:
    """An empty local folder for the files of a new artifact; it is deleted with all that was not committed."""
    with store.storage.staging(f"{name}/parts", cache_folder()) as folder:
        yield folder


def read_artifact(store: Store, ref: DatasetRef, file_name: str) -> bytes:
    """The content of one file of an artifact, after its hash was verified.

    Raises
    ------
    StoreError
        If the artifact has no such file, or its content is not what was published.
    """
    part = artifact_part(store, ref, file_name)
    key = store.part_key(ref.dataset, part.name)
    content = store.storage.read(key)
    if hashlib.sha256(content).hexdigest() != part.sha256:
        raise _damaged(store.storage.locate(key), ref)
    return content


def artifact_path(store: Store, ref: DatasetRef, file_name: str, *, verify: bool = False) -> Path:
    """One file of an artifact as a local file: the file itself, or a cached copy of an object on S3.

    Parameters
    ----------
    verify : bool
        Also hash the file, in blocks: for files that the caller reads completely.

    Raises
    ------
    StoreError
        If the artifact has no such file, or its size or its hash is not that in the manifest.
    """
    part = artifact_part(store, ref, file_name)
    key = store.part_key(ref.dataset, part.name)
    local = store.storage.is_local
    path = Path(store.storage.path(key)) if local else cached_file(store.storage, key, part.sha256, part.bytes)
    size = store.storage.size(key) if local else path.stat().st_size
    if size != part.bytes:
        raise DamageError(
            f"{path}: {'no such file' if size is None else f'{size} bytes'}, the manifest of {ref} says {part.bytes} "
            "bytes; run again to make it anew, or roll back"
        )
    if (verify or store.verify_reads) and _describe(path)[0] != part.sha256:
        raise _damaged(path, ref)
    return path


def artifact_part(store: Store, ref: DatasetRef, file_name: str) -> Part:
    """The manifest's entry for one file of an artifact."""
    parts = {part.name.rsplit("/", 1)[1]: part for part in store.manifest(ref).parts}
    if file_name not in parts:
        raise StoreError(f"{ref} has no file {file_name!r}; it has {', '.join(sorted(parts))}")
    return parts[file_name]


def _damaged(where: str | Path, ref: DatasetRef) -> DamageError:
    return DamageError(
        f"{where}: content differs from the manifest of {ref}; `audioae fsck --repair` sets it aside, then run again "
        "or roll back"
    )


def _describe(content: bytes | Path) -> tuple[str, int]:
    """SHA-256 and size; a file is read in blocks."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest(), len(content)
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), content.stat().st_size


class CheckpointFile:
    """The latest checkpoint of the training run with one recipe, until its model is published.

    It is stored with its SHA-256 in front. A damaged one is as good as none: training begins again.
    """

    _MAGIC = b"audioae checkpoint\n"

    def __init__(self, store: Store, recipe: str):
        self._storage = store.storage
        self._key = f"model/checkpoints/{recipe}.ckpt"

    def load(self) -> bytes | None:
        if not self._storage.exists(self._key):
            return None
        stored = self._storage.read(self._key)
        if not stored.startswith(self._MAGIC):
            return stored or None  # written by an older version
        start = len(self._MAGIC)
        digest, content = stored[start : start + 32], stored[start + 32 :]
        if hashlib.sha256(content).digest() == digest:
            return content
        _log.warning(f"{self._storage.locate(self._key)}: the checkpoint is damaged; training begins again")
        return None

    def save(self, content: bytes) -> None:
        self._storage.write(self._key, self._MAGIC + hashlib.sha256(content).digest() + content)

    def clear(self) -> None:
        self._storage.delete(self._key)
