"""The map that a library has open: the newest, swapped as a whole.

Why it looks for a newer one only now and then: on an object store that costs requests, and a person who moves the mouse
over a map asks ten times a second.
"""

import threading
import time

from audioae.errors import MapChangedError
from audioae.explore.track_map import TrackMap, newest_map
from audioae.library.generation import Generation

LOOK_EVERY_S = 5.0


class OpenedMap:
    """Keeps the map of a library, until there is a newer one, or there are newer findings.

    Parameters
    ----------
    library : Generation
    """

    def __init__(self, library: Generation):
        self._library = library
        self._map: TrackMap | None = None
        self._looked_at = 0.0
        self._lock = threading.Lock()

    def get(self, version: str | None = None, *, look: bool = False) -> TrackMap:
        """See `Library.map`."""
        opened = self._map
        if opened is None or look or opened.version != version:
            opened = self._newest(look=look or version is not None)
        if version not in (None, opened.version):
            raise MapChangedError(
                f"rows of the map {version} were asked for, this one is {opened.version} ({opened.ref} of "
                f"{self._library.index_ref}); load the map again"
            )
        return opened

    def _newest(self, *, look: bool) -> TrackMap:
        with self._lock:
            if self._map is not None and not look and time.monotonic() < self._looked_at + LOOK_EVERY_S:
                return self._map
            names = newest_map(self._library), self._library.store.latest("findings")
            if self._map is None or (self._map.ref, self._map.findings_ref) != names:
                self._map = TrackMap(self._library, *names)
            self._looked_at = time.monotonic()
            return self._map
