"""How far a stage is, as an artifact in Prefect's page: a bar that is updated every few seconds.

Conventions
-----------
- A stage works through groups of shards; those on this machine also say how far they are. A stage without groups is one
  group.
- Whatever Prefect's API answers, the stage goes on.
"""

import contextlib
import re
import threading
import time
from typing import Any
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

SECONDS_BETWEEN_UPDATES = 5.0


class StageProgress:
    """The bar of one stage; `key` names it. It appears when there is something to show."""

    def __init__(self, key: str):
        self.key = re.sub(r"[^a-z0-9]+", "-", f"progress-{key}".lower()).strip("-")
        self._groups, self._ended, self._share = 1, 0, 0.0
        self._artifact: UUID | None = None
        self._shown, self._time = -1.0, float("-inf")
        self._lock = threading.Lock()

    def begin(self, groups: int) -> None:
        """The stage has this many groups."""
        self._groups, self._ended, self._share = max(groups, 1), 0, 0.0
        self._show()

    def end_group(self, _future: Any = None) -> None:
        """One more group has ended; a callback of Prefect's futures."""
        self._ended, self._share = self._ended + 1, 0.0
        self._show()

    def advance(self, done: int, total: int) -> None:
        """The group that runs on this machine has done this much."""
        self._share = done / total if total else 1.0
        self._show()

    def close(self) -> None:
        """The stage is over; the bar shows what was reached."""
        self._show(last=True)

    @property
    def percent(self) -> float:
        return round(100 * min((self._ended + self._share) / self._groups, 1.0), 1)

    def _show(self, *, last: bool = False) -> None:
        if not self._lock.acquire(blocking=False):
            return  # another thread is showing it
        try:
            now, percent = time.monotonic(), self.percent
            early = now - self._time < SECONDS_BETWEEN_UPDATES and percent < 100
            if percent == self._shown or (early and not last) or (last and self._artifact is None):
                return
            self._time, self._shown = now, percent
            with contextlib.suppress(Exception):
                if self._artifact is None:
                    self._artifact = create_progress_artifact(percent, self.key, "percent of the stage")  # type: ignore[assignment]
                else:
                    update_progress_artifact(self._artifact, percent)
        finally:
            self._lock.release()
