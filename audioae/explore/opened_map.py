"""The map that a library has open: the newest, swapped as a whole."""

import threading

from audioae.errors import MapChangedError
from audioae.explore.track_map import TrackMap, newest_map
from audioae.library.generation import Generation


class OpenedMap:
    """Keeps the map of a library, until there is a newer one, or there are newer findings.

    Parameters
    ----------
    library : Generation
    """

    def __init__(self, library: Generation):
        self._library = library
        self._map: TrackMap | None = None
        self._lock = threading.Lock()

    def get(self, version: str | None = None) -> TrackMap:
        """See `Library.map`."""
        opened = self._map
        if opened is not None and opened.version == version:
            return opened
        opened = self._newest()
        if version not in (None, opened.version):
            raise MapChangedError(
                f"rows of the map {version} were asked for, this one is {opened.version} ({opened.ref} of "
                f"{self._library.index_ref}); load the map again"
            )
        return opened

    def _newest(self) -> TrackMap:
        with self._lock:
            names = newest_map(self._library), self._library.store.latest("findings")
            if self._map is None or (self._map.ref, self._map.findings_ref) != names:
                self._map = TrackMap(self._library, *names)
            return self._map
