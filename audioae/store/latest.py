"""The object LATEST: which version of a dataset is current, and whether it is pinned.

    3f2a91c03f2a
    {"checksum": "...", "pinned_at": "2026-03-01T08:00:00+00:00", "recipes": ["6d0b1f8a2c3e4f50", ...]}

Conventions
-----------
- The first line is the version. The second line, if there is one, is the pin of a rollback.
- A pinned version stays current until the pin is released, or until something is published from other inputs: by a
  recipe that no version had when the pin was made. A run that repeats what was rolled back changes nothing.
- A damaged pin has no recipes: it holds until it is released.

Why one object: it is replaced atomically, so that version and pin never contradict each other.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from audioae.config import fingerprint
from audioae.store.manifest import VERSION


@dataclass(frozen=True)
class Pin:
    """When a rollback was made, and the recipes that do not end it."""

    pinned_at: datetime | None
    recipes: frozenset[str] | None

    def holds(self, recipe: str) -> bool:
        """Whether a version made by `recipe` must not become current."""
        return self.recipes is None or recipe in self.recipes

    @classmethod
    def now(cls, recipes: Iterable[str]) -> "Pin":
        return cls(datetime.now(UTC), frozenset(recipes))


@dataclass(frozen=True)
class Latest:
    """The content of LATEST."""

    version: str
    pin: Pin | None = None

    def to_bytes(self) -> bytes:
        if self.pin is None:
            return f"{self.version}\n".encode()
        at, recipes = self.pin.pinned_at, self.pin.recipes
        pin: dict[str, Any] = {"pinned_at": at and at.isoformat(), "recipes": recipes and sorted(recipes)}
        pin["checksum"] = fingerprint([self.version, pin])
        return f"{self.version}\n{json.dumps(pin, sort_keys=True)}\n".encode()


def parse_latest(stored: bytes) -> Latest:
    """The content of LATEST.

    Raises
    ------
    ValueError
        If it does not begin with the name of a version.
    """
    version, _, rest = stored.decode().strip().partition("\n")
    if not re.fullmatch(VERSION, version):
        raise ValueError(f"it holds {version[:40]!r}, wanted the name of a version")
    return Latest(version, _parse_pin(version, rest) if rest else None)


def _parse_pin(version: str, text: str) -> Pin:
    try:
        fields = json.loads(text)
        if fields.pop("checksum") == fingerprint([version, fields]):
            return Pin(datetime.fromisoformat(fields["pinned_at"]), frozenset(fields["recipes"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return Pin(None, None)
