"""Answers that were computed before, in the memory of a process: the least recently used go first.

Why by bytes and not by number: an answer has one mel or 225, 22 kB or 5 MB.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class AnswerCache:
    """Bytes by key, up to `max_bytes` together. Threads may use it at the same time.

    >>> cache = AnswerCache(3)
    >>> cache.get("a", lambda: b"12"), cache.get("a", lambda: b"other"), cache.get("b", lambda: b"34")
    (b'12', b'12', b'34')
    >>> cache.get("a", lambda: b"new")  # "b" took its place
    b'new'
    """

    def __init__(self, max_bytes: int):
        self._max_bytes, self._n_bytes = max_bytes, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """What was kept for `key`, or what `make` returns, which is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        content = make()
        with self._lock:
            self._n_bytes += len(content) - len(self._kept.pop(key, b""))
            self._kept[key] = content
            while self._n_bytes > self._max_bytes:
                self._n_bytes -= len(self._kept.popitem(last=False)[1])
        return content
