"""A path from one track to another: a playlist of at most so many tracks, as players ask for it.

Conventions
-----------
- The first and the last track are those that were asked for, also where the same recording has other tracks.
- Distances are 1 - cosine.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audioae.errors import SearchError
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.library.index_mask import matching_index_rows
from audioae.library.listing import embeddings_at
from audioae.playlists.builder import PlaylistAnswer
from audioae.playlists.options import PlaylistOptions

Make = Callable[[list[str], PlaylistOptions, Filters], PlaylistAnswer]


@dataclass(frozen=True)
class SonicPath:
    """Tracks in order.

    Parameters
    ----------
    track_ids : list of str
    to_start : list of float
        The cosine of each to the first.
    length : float
        The sum of the distances from track to track.
    """

    track_ids: list[str]
    to_start: list[float]
    length: float


def sonic_path(
    library: Generation, make: Make, start: str, end: str, at_most: int, *, exact: bool, filters: Filters
) -> SonicPath:
    """See `Library.sonic_path`; `make` makes a playlist."""
    if start == end:
        library.embedding_of(library.find(start))  # raises if it has none
        return _path(library, [start])
    if at_most < 2:
        raise SearchError(f"a path from {start} to {end} has at least 2 tracks, got {at_most}")
    ends = [int(library.alignment.index_row[library.lookup.find_row(track_id)]) for track_id in (start, end)]
    if ends[0] == ends[1] >= 0:  # the same bytes
        return _path(library, [start, end])
    try:
        playlist = make([start, end], PlaylistOptions(n=at_most), filters)
    except SearchError:
        n = at_most if exact or min(ends) < 0 else _n_recordings(library, ends, filters)
        if n >= at_most:
            raise
        playlist = make([start, end], PlaylistOptions(n=n), filters)
    between = [entry["track_id"] for entry in playlist.document["entries"][1:-1]]
    return _path(library, [start, *between, end])


def _n_recordings(library: Generation, ends: list[int], filters: Filters) -> int:
    """How many recordings pass the filters or are one of the ends."""
    mask = matching_index_rows(library, filters)
    rows = np.arange(len(library.index)) if mask is None else np.union1d(np.flatnonzero(mask), ends)
    return len(np.unique(library.alignment.group[rows]))


def _path(library: Generation, track_ids: list[str]) -> SonicPath:
    embeddings = embeddings_at(library, library.lookup.rows_of(track_ids))
    steps = np.einsum("ij,ij->i", embeddings[:-1], embeddings[1:])
    return SonicPath(track_ids, (embeddings @ embeddings[0]).tolist(), float((1 - steps).sum()))
