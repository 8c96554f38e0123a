"""Playlists from an index: only the tracks near the path are read, so the cost hardly grows with the catalog.

Conventions
-----------
- Up to `ALL_UP_TO` indexed tracks all of them are the source. Above, it is the tracks near the path: of those that pass
  the filters, and again of those that fit the curves, the `NEAREST` to each of `POINTS` points of the path.
- What all playlists need of the catalog (energy, saved tempos) is read once and kept. Threads may share one object.

Why this finds the same playlists: a playlist is chosen from the 1,200 tracks nearest to the path (2,400 if a rule
cannot be kept, more for long playlists), taken from all points in turn. Those are among the nearest 1,200 to some
point, unless the points have the same neighbors; and then there are fewer tracks to choose from, all of them nearer.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.library.index_mask import matching_index_rows
from audioae.playlists.builder import PlaylistAnswer, Playlists
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.path import interpolate, place_waypoints
from audioae.playlists.pool import POOL, off_curve
from audioae.playlists.source import stored_energy, stored_tempos, tracks_at
from audioae.playlists.walk import check_waypoints

ALL_UP_TO = 5_000
POINTS = 12
NEAREST = POOL


class IndexedPlaylists:
    """Makes playlists from the index of one generation.

    Parameters
    ----------
    library : Generation
    """

    def __init__(self, library: Generation):
        self.library = library

    def make(
        self, waypoints: Sequence[str], options: PlaylistOptions, filters: Filters, *, decode: bool = False
    ) -> PlaylistAnswer:
        """See `Library.playlist`; `waypoints` are track_ids or titles."""
        if len(self.library) <= ALL_UP_TO:
            playlists = self._of_audio if decode else self._of_stored
        else:
            values = {"energy": self._values["energy"]} if decode else self._values
            rows = self._near(self._rows(waypoints), options, filters, values)
            playlists = Playlists(self.library, source=tracks_at(self.library, rows, values), decode=decode)
        return playlists.make(waypoints, options, filters)

    @cached_property
    def _of_stored(self) -> Playlists:
        """Playlists of all tracks, from what is stored."""
        source = tracks_at(self.library, np.arange(len(self.library)), self._values)
        return Playlists(self.library, source=source, decode=False)

    @cached_property
    def _of_audio(self) -> Playlists:
        """Playlists of all tracks, which open their audio if they must."""
        source = tracks_at(self.library, np.arange(len(self.library)), {"energy": self._values["energy"]})
        return Playlists(self.library, source=source)

    @cached_property
    def _values(self) -> dict[str, np.ndarray]:
        """Energy and saved tempo of each row of the index, shape (n_index,), float64; NaN where unknown."""
        library = self.library
        contents = library.tracks["content_hash"].take(pa.array(library.alignment.catalog_row))
        return {"energy": stored_energy(library, library.index.ids), "tempo": stored_tempos(library, contents)}

    def _rows(self, waypoints: Sequence[str]) -> list[int]:
        """Index rows of the waypoints."""
        tracks = [self.library.lookup.find_row(waypoint) for waypoint in waypoints]
        rows = self.library.alignment.index_row[tracks].tolist()
        for track in (track for track, row in zip(tracks, rows, strict=True) if row < 0):
            self.library.embedding_of(self.library.lookup.track(track))  # raises with the reason why it has none
        check_waypoints(rows)
        return rows

    def _near(
        self, waypoints: list[int], options: PlaylistOptions, filters: Filters, values: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Index rows of the waypoints and of the tracks near the path, ascending, shape (n,), int64."""
        index = self.library.index
        ends = index.embeddings(np.array(waypoints))
        ends /= np.linalg.norm(ends, axis=1, keepdims=True)
        points = interpolate(ends, place_waypoints(ends, max(POINTS, len(ends))), options.path)
        passing = matching_index_rows(self.library, filters)
        known = options if "tempo" in values else options.model_copy(update={"tempo": Curve()})
        off = off_curve(values, waypoints, known)
        found = [np.array(waypoints)]
        for mask in (passing, *([_fitting(passing, off)] if known.curves else [])):
            among = None if mask is None else np.flatnonzero(mask)
            if among is None or len(among):
                found.append(index.search(points, NEAREST, among)[1].ravel())
        rows = np.unique(np.concatenate(found))
        return rows[rows >= 0]


def _fitting(passing: np.ndarray | None, off: np.ndarray | bool) -> np.ndarray:
    return ~np.asarray(off) if passing is None else passing & ~np.asarray(off)
