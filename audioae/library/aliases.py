"""The IDs that other systems have for tracks of one catalog, in both directions.

Conventions
-----------
- A namespace is read when it is first asked for (or by `warm`), and then kept: its sorted external IDs, and the catalog
  row of each; 60 MB for a million IDs of 36 characters.
- An alias of a track that the catalog no longer has is unknown, and the error says so.

Why bisection in the column of texts: it takes some microseconds, without a Python string per alias, and one very long
ID does not make all of them wide.
"""

from bisect import bisect_left
from collections.abc import Sequence
from threading import Lock

import numpy as np
import pyarrow as pa

from audioae.errors import UnknownTrackError
from audioae.library.columns import TextColumn, one_chunk
from audioae.library.lookup import Lookup
from audioae.pipeline.alias_namespaces import ALIASES, read_namespaces
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


class Aliases:
    """A version of the dataset `aliases`, for the tracks of one catalog.

    Parameters
    ----------
    store : Store
    ref : DatasetRef or None
        The version; None: there are no aliases.
    lookup : Lookup
        The catalog's tracks.

    Attributes
    ----------
    namespaces : tuple of str
    """

    def __init__(self, store: Store, ref: DatasetRef | None, lookup: Lookup):
        self._store, self._lookup, self.ref = store, lookup, ref
        self._stored = read_namespaces(store, ref)
        self._read: dict[str, _Namespace] = {}
        self._reading = Lock()

    @property
    def namespaces(self) -> tuple[str, ...]:
        return tuple(self._stored)

    def track_id(self, namespace: str, external_id: str) -> str:
        """The track that another system calls `external_id`.

        Raises
        ------
        UnknownTrackError
            If there is no such namespace or ID, or the catalog no longer has its track.
        """
        if namespace not in self._stored:
            has = f"has the namespaces {', '.join(map(repr, self._stored))}" if self._stored else "has none yet"
            raise UnknownTrackError(
                f"no namespace {namespace!r} of aliases: the store {has}; `audioae aliases import` adds one"
            )
        row = self._namespace(namespace).row_of(external_id)
        if row is None:
            raise UnknownTrackError(
                f"no alias {external_id!r} in the namespace {namespace!r}, which has {self._stored[namespace].rows:,}; "
                "import its aliases again if it is new"
            )
        if row < 0:
            raise UnknownTrackError(
                f"{external_id!r} in the namespace {namespace!r} is an alias of a track that was removed from the "
                "catalog; import the namespace again"
            )
        return str(self._lookup.cells.texts["track_id"][row])

    def external_ids(self, namespace: str, track_ids: Sequence[str]) -> list[str | None]:
        """What another system calls each track; the first in order if it has several IDs, None if it has none."""
        if namespace not in self._stored:
            return [None] * len(track_ids)
        return self._namespace(namespace).external_ids(self._lookup.rows_of(list(track_ids)))

    def rows(self, namespace: str) -> np.ndarray:
        """Catalog rows with an alias in a namespace, ascending, shape (n,), int32; none without such a namespace."""
        return self._namespace(namespace).rows() if namespace in self._stored else np.empty(0, np.int32)

    def warm(self) -> None:
        """Read all namespaces: the next question is as fast as any later one."""
        for namespace in self._stored:
            self._namespace(namespace)

    def _namespace(self, name: str) -> "_Namespace":
        if name not in self._read:
            with self._reading:
                if name not in self._read:
                    self._read[name] = self._read_namespace(name)
        return self._read[name]

    def _read_namespace(self, name: str) -> "_Namespace":
        columns = ["external_id", "track_id"]
        table = pa.concat_tables(self._store.read_part(ALIASES, part, columns) for part in self._stored[name].parts)
        rows = self._lookup.rows_of(one_chunk(table["track_id"]))
        return _Namespace(one_chunk(table["external_id"]), rows.astype(np.int32))


class _Namespace:
    """Sorted external IDs, and the catalog row of each; -1 where the track is gone."""

    def __init__(self, external_ids: pa.Array, rows: np.ndarray):
        self._ids, self._rows, self._n = TextColumn(external_ids), rows, len(rows)
        self._order = np.argsort(rows, kind="stable").astype(np.int32)
        self._sorted_rows = rows[self._order]

    def row_of(self, external_id: str) -> int | None:
        place = bisect_left(self._ids, external_id, 0, self._n)  # pyright: ignore[reportCallIssue]
        return int(self._rows[place]) if place < self._n and self._ids[place] == external_id else None

    def rows(self) -> np.ndarray:
        return np.unique(self._sorted_rows[self._sorted_rows >= 0])

    def external_ids(self, rows: np.ndarray) -> list[str | None]:
        places = np.minimum(np.searchsorted(self._sorted_rows, rows), max(self._n - 1, 0))
        has_one = (rows >= 0) & (self._sorted_rows[places] == rows) if self._n else np.zeros(len(rows), bool)
        return [self._ids[int(self._order[place])] if has else None for place, has in zip(places, has_one, strict=True)]
