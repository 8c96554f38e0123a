"""A catalog as a client with IDs of its own sees it: only the tracks that it has, by the IDs that it has for them.

Conventions
-----------
- Without a namespace, a client's IDs are track_ids, and it has every track.
- With a namespace, a client's IDs are the aliases in it (`library.aliases`); tracks without one do not exist for it.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from audioae.errors import UnknownTrackError
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.library.predicates import Rows
from audioae.library.records import Track


class ClientIds:
    """The IDs that a client has for the tracks of a generation.

    Parameters
    ----------
    library : Generation
    namespace : str or None
    """

    def __init__(self, library: Generation, namespace: str | None):
        self._library, self._namespace = library, namespace

    def track_id(self, client_id: str) -> str:
        """The track_id of a client's ID.

        Raises
        ------
        UnknownTrackError
            If the client's ID means no track.
        """
        if self._namespace is not None:
            return self._library.aliases.track_id(self._namespace, client_id)
        if self._library.lookup.row_of(client_id) < 0:
            raise UnknownTrackError(
                f"no track_id {client_id!r} in {self._library.tracks_ref}; for the IDs of another system, import its "
                "aliases and serve with their namespace"
            )
        return client_id

    def track(self, track_id: str) -> Track:
        """The record of a track_id of the catalog."""
        return self._library.lookup.track(self._library.lookup.row_of(track_id))

    def of(self, track_ids: Sequence[str]) -> list[str | None]:
        """The client's IDs of some tracks; None where it has none."""
        if self._namespace is None:
            return list(track_ids)
        return self._library.aliases.external_ids(self._namespace, track_ids)

    @cached_property
    def known(self) -> np.ndarray | None:
        """Which catalog rows the client has, shape (n_tracks,), bool; None if it has all."""
        if self._namespace is None:
            return None
        mask = np.zeros(self._library.tracks.num_rows, bool)
        mask[self._library.aliases.rows(self._namespace)] = True
        return None if mask.all() else mask

    @cached_property
    def filters(self) -> Filters:
        """Lets pass what the client has."""
        return Filters() if self.known is None else Filters(where=Rows(self.known))
