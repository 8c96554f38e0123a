"""Counts the requests that a stage makes to its store.

Convention: opening an object counts as two requests (its size, its bytes), every other call as one. An object store may
need more for objects above 5 MB, which it takes in pieces.
"""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from audioae.store.storage import Storage

WEIGHTS = {"open": 2, "size": 1, "write": 1, "move_file": 1, "list": 1, "delete": 1}


def count_calls(storage: Storage) -> Counter[str]:
    """Count the calls of `storage` from now on; the counter grows as they are made."""
    calls: Counter[str] = Counter()

    def counted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return method(*arguments, **options)

        return call

    for name in WEIGHTS:
        setattr(storage, name, counted(name, getattr(storage, name)))
    return calls


def n_requests(calls: Counter[str]) -> int:
    """Requests that these calls are.

    >>> n_requests(Counter(open=3, write=2))
    8
    """
    return sum(WEIGHTS[name] * n for name, n in calls.items())
