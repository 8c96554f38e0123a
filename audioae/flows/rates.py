"""Progress as lines of a log: how much is done, how fast, and when it will be finished."""

import time
from collections.abc import Callable
from typing import Protocol

from audioae.flows.position import POSITION

SECONDS_BETWEEN_LOGS = 5.0
SHORTEST_S = 0.05  # a rate of less says nothing


class LoggedProgress(Protocol):
    """A callback that logs `done` of `total`, and a note where there is one."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def log_rate(log: Callable[[str], None], unit: str) -> LoggedProgress:
    """A callback `(done, total, note="")` that logs rate and ETA, at most every few seconds and at the end.

    Parameters
    ----------
    log : function of str
        Where the lines go.
    unit : str
        What is counted, such as "tracks decoded".
    """
    start = time.monotonic()
    last = [start, -1]

    def advance(done: int, total: int, note: str = "") -> None:
        POSITION.advance(done, total, unit)
        now = time.monotonic()
        if done == last[1] or (now - last[0] < SECONDS_BETWEEN_LOGS and done < total):
            return
        last[:] = [now, done]
        rate = done / max(now - start, SHORTEST_S)
        pace = f", {rate:.1f}/s" if now - start >= SHORTEST_S else ""
        eta = f", ETA {(total - done) / rate:.0f} s" if 0 < done < total else ""
        log(f"{done}/{total} {unit}{pace}{eta}{'; ' + note if note else ''}")

    return advance
