"""Reading what another process may be merging: an object that is listed can be gone before it is read."""

import contextlib
import random
import time
from collections.abc import Callable
from typing import TypeVar

from audioae.errors import DamageError

ATTEMPTS = 8
LONGEST_PAUSE_S = 1.0
Answer = TypeVar("Answer")


def unless_merged(attempt: Callable[[], Answer]) -> Answer:
    """Try again when objects are missing, because another process may just have merged them.

    Pauses grow, and are random, so that processes that wait for each other do not meet again.

    Raises
    ------
    DamageError
        If an object is still missing at the last of `ATTEMPTS` attempts.
    """
    for number in range(1, ATTEMPTS):
        with contextlib.suppress(DamageError):
            return attempt()
        time.sleep(random.uniform(0, min(0.02 * 2**number, LONGEST_PAUSE_S)))
    return attempt()
