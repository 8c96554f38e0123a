"""Refs, parts and manifests: how a version is named, and what is recorded about it.

Conventions
-----------
- A ref is `dataset@version`. Stages, tasks, processes and machines pass nothing else to each other.
- A version is the hash of its manifest's content, so the same parts from the same parents always have the same name, on
  every machine. A manifest contains no time; the time of writing is that of the object itself.
- A `derived` part (timings, plots) belongs to the version, but its content does not change the version's name.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from audioae.config import Config, fingerprint
from audioae.errors import StoreError

FORMAT = 1


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

    name: str
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
    parents: dict[str, str] = Field(default_factory=dict)
    parts: list[Part]

    @property
    def version(self) -> str:
        content = self.model_dump(mode="json", exclude={"parts"})
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
