"""Typed seeds that must be tracks of the catalog: the waypoints of a playlist, the plays of a listener."""

from collections.abc import Sequence

import numpy as np

from audioae.errors import SearchError, UnknownTrackError
from audioae.library.generation import Generation
from audioae.similarity.seeds import AliasSeed, TrackSeed

KnownTrack = str | TrackSeed | AliasSeed


def track_id_of(library: Generation, seed: KnownTrack) -> str:
    """The track_id that is meant; a text is left as it is, since it may be a title.

    Raises
    ------
    UnknownTrackError
        If the catalog does not have the track.
    SearchError
        If the seed is an embedding or a file.
    """
    if isinstance(seed, AliasSeed):
        return library.aliases.track_id(seed.namespace, seed.external_id)
    if isinstance(seed, str):
        return seed
    if not isinstance(seed, TrackSeed):
        raise SearchError(f"got {type(seed).__name__}, wanted a track of {library.tracks_ref}; give its track_id")
    if library.lookup.row_of(seed.track_id) < 0:
        raise UnknownTrackError(f"no track_id {seed.track_id!r} in {library.tracks_ref}; look it up by its title first")
    return seed.track_id


def catalog_rows(library: Generation, seeds: Sequence[KnownTrack]) -> np.ndarray:
    """Catalog rows of tracks by track_id or alias, shape (n,), int64; -1 where the catalog does not have the track."""
    return library.lookup.rows_of([_id_or_nothing(library, seed) for seed in seeds])


def _id_or_nothing(library: Generation, seed: KnownTrack) -> str:
    """The track_id that is meant, "" if an alias is unknown."""
    if isinstance(seed, TrackSeed):
        return seed.track_id
    try:
        return track_id_of(library, seed)
    except UnknownTrackError:
        return ""
