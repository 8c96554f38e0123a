"""The generation that is served, and how the next one takes its place.

Conventions
-----------
- A request takes `current` once and keeps it to its end. Swapping is one assignment: no request sees parts of two.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from audioae.api import Library, open_library


@dataclass(frozen=True)
class Served:
    """An opened, warmed generation."""

    library: Library
    loaded_at: datetime

    @property
    def names(self) -> dict[str, str]:
        """What every answer says about where it is from."""
        return {"index": str(self.library.index_ref), "model": str(self.library.model_ref)}


def load(store: str, index: str | None = None) -> Served:
    """Open a generation and search it once."""
    library = open_library(store, index=index)
    library.warm()
    return Served(library, datetime.now(UTC))


class Generations:
    """What is served now.

    Parameters
    ----------
    first : Served
    """

    def __init__(self, first: Served):
        self.current = first
        self._lock = asyncio.Lock()
