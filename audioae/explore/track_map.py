"""`library.map()`: the tracks of the newest map, and selections of them."""

from collections.abc import Sequence

import numpy as np

from audioae.explore.mapped_tracks import MappedTracks
from audioae.explore.selection import Selection
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.maps.reader import find_map, read_map
from audioae.store.manifest import DatasetRef


class TrackMap(MappedTracks):
    """One map of a generation.

    Example: `library.map().select([[0, 0], [5, 0], [5, 5]]).shares("label")`.
    """

    def select(
        self,
        polygon: Sequence[Sequence[float]] | np.ndarray | None = None,
        rows: Sequence[int] | np.ndarray | None = None,
        filters: Filters | None = None,
    ) -> Selection:
        """The tracks inside of a polygon, or some rows, or all; of these, those that pass the filters.

        Raises
        ------
        SearchError
            If there are too many vertices or rows, a row is not on the map, or a filter names what is not there.
        """
        if polygon is not None:
            chosen = self.inside(polygon)
        elif rows is not None:
            chosen = self.checked(rows)
        else:
            chosen = np.arange(len(self), dtype=np.int32)
        return Selection(self, chosen[self.mask(filters)[chosen]] if filters else chosen)


def newest_map(library: Generation) -> DatasetRef:
    """The map of the library's index, or else the newest one.

    Raises
    ------
    NotMappedError
        If the store has no map.
    """
    ref = find_map(library.store, library.index_ref) or library.store.latest("map")
    return ref or read_map(library.store, library.index_ref).ref
