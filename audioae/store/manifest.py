"""Refs, parts and manifests: how a version is named, and what is recorded about it.

Conventions
-----------
- A ref is `dataset@version`. Stages, tasks, processes and machines pass nothing else to each other.
- A version is the hash of what it consists of and was made from. So the same parts from the same parents always have
  the same name, on every machine. `published_at`, and parts that are `derived` (timings, plots), do not change it.
- A manifest is checked when it is read: its `checksum` is that of everything else in it, and its name must be the hash
  of its content. Format 1 has neither checksum nor `published_at`; its name is checked.
- Names of parts and versions never lead out of their folder.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, ValidationError

from audioae.config import Config, fingerprint
from audioae.errors import DamageError, StoreError

FORMAT = 2
VERSION = r"^\w[\w-]*$"
_FILE = r"[^/.\x00-\x1f][^/\x00-\x1f]*"


@dataclass(frozen=True, order=True)
class DatasetRef:
    """Names one committed version of one dataset or artifact.

    >>> DatasetRef.parse("mels@3f2a91c0")
    DatasetRef(dataset='mels', version='3f2a91c0')
    """

    dataset: str
    version: str

    def __str__(self) -> str:
        return f"{self.dataset}@{self.version}"

    @classmethod
    def parse(cls, text: str) -> "DatasetRef":
        dataset, _, version = text.partition("@")
        if not dataset or not version:
            raise StoreError(f"{text!r} is not a ref; wanted dataset@version, for example mels@3f2a91c0")
        return cls(dataset, version)


class Part(Config):
    """One immutable object of a version: its file name below `parts/`, its hash, its size and its number of rows."""

    name: str = Field(pattern=f"^{_FILE}(/{_FILE})*$")
    sha256: str
    bytes: int
    rows: int | None = None
    derived: bool = False


class Manifest(Config):
    """Everything that a reader needs to know about one version.

    `recipe` is the fingerprint of what the version was made from (config, parents, code). A stage that would make the
    same version again finds it by this fingerprint.
    """

    format: int = FORMAT
    dataset: str
    schema_version: int
    recipe: str
    config: dict[str, Any]
    parents: dict[str, Annotated[str, Field(pattern=VERSION)]] = Field(default_factory=dict)
    parts: list[Part]
    published_at: datetime | None = None

    @property
    def version(self) -> str:
        content = self.model_dump(mode="json", exclude={"parts", "published_at"})
        content["parts"] = [[part.name.rsplit("/", 1)[-1], part.sha256] for part in self.parts if not part.derived]
        return fingerprint(content)[:12]

    @property
    def ref(self) -> DatasetRef:
        return DatasetRef(self.dataset, self.version)

    @property
    def rows(self) -> int:
        return sum(part.rows or 0 for part in self.parts)

    def parent(self, dataset: str) -> DatasetRef:
        """The version of `dataset` that this one was made from."""
        if dataset not in self.parents:
            raise StoreError(f"{self.ref} has no parent {dataset}; its parents are {', '.join(self.parents) or 'none'}")
        return DatasetRef(dataset, self.parents[dataset])


def manifest_bytes(manifest: Manifest) -> bytes:
    """A manifest as it is stored: JSON with a checksum."""
    content = manifest.model_dump(mode="json")
    return json.dumps({**content, "checksum": fingerprint(content)}, indent=1, sort_keys=True).encode()


def parse_manifest(stored: bytes, version: str, where: str) -> Manifest:
    """The manifest that `manifest_bytes` stored under the name `version`.

    Raises
    ------
    DamageError
        If it is not what was written.
    StoreError
        If a newer audioae wrote it.
    """
    remedy = "`audioae fsck --repair` sets it aside; restore it, or roll back"
    try:
        content = json.loads(stored)
        checksum = content.pop("checksum", None)
        if checksum != (None if content["format"] == 1 else fingerprint(content)):
            raise ValueError("its checksum is wrong")
        if content["format"] > FORMAT:
            raise StoreError(
                f"{where}: written in store format {content['format']}, this audioae reads up to {FORMAT}; "
                "upgrade audioae"
            )
        manifest = Manifest.model_validate(content)
        if manifest.version != version:
            raise ValueError(f"its content belongs to the version {manifest.version}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = error
        if isinstance(error, ValidationError):
            problem = ", ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise DamageError(f"{where}: the manifest is damaged ({problem}); {remedy}") from error
    return manifest
