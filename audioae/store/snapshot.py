"""What a stage has listed and parsed, so that it asks the medium once.

Conventions
-----------
- A snapshot lasts for one function, in one thread: `with store.snapshot():`. Within it, a folder of parts is listed
  once and a manifest is read once, whatever is asked. What this store writes meanwhile is added.
- What is missing in a listing is looked for again before it is called missing in a published version: another process
  may have written it meanwhile. Publishing always lists anew.
"""

from dataclasses import dataclass, field

from audioae.store.manifest import DatasetRef, Manifest, Part
from audioae.store.storage import Entry


@dataclass
class Snapshot:
    """The listings of parts by dataset, the manifests, and parts that were hashed to be published."""

    parts: dict[str, dict[str, Entry]] = field(default_factory=dict)
    manifests: dict[DatasetRef, Manifest] = field(default_factory=dict)
    described: dict[str, dict[str, Part]] = field(default_factory=dict)


class FamiliarParts:
    """What some versions of one dataset say of their parts, by name."""

    def __init__(self):
        self._parts: dict[str, Part | None] = {}
        self._refs: set[DatasetRef] = set()

    def add(self, ref: DatasetRef, manifest: Manifest) -> None:
        """Add the parts of a version, unless they were added before."""
        if ref not in self._refs:
            self._refs.add(ref)
            for part in manifest.parts:
                same = self._parts.setdefault(part.name, part)
                if same and same.sha256 != part.sha256:
                    self._parts[part.name] = None

    def get(self, name: str) -> Part | None:
        """What is said of a part; None if no version names it, or two disagree."""
        return self._parts.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._parts
