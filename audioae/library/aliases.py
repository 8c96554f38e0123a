"""The IDs that other systems have for tracks of one catalog, in both directions.

Conventions
-----------
- A namespace is opened when it is first asked for (or by `warm`): its sorted external IDs and the catalog row of each,
  which are derived once and then mapped, so that processes share them.
- An alias of a track that the catalog no longer has is unknown, and the error says so.

Why bisection in the column of texts: it takes some microseconds, without a Python string per alias, and one very long
ID does not make all of them wide.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.errors import UnknownTrackError
from audioae.library.array_files import ArrayFiles, derived_files, write_table
from audioae.library.columns import TextColumn, one_chunk
from audioae.library.lookup import Lookup
from audioae.pipeline.alias_namespaces import ALIASES, read_namespaces
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

KIND = "aliases-1"  # another number when other files are written


class Aliases:
    """A version of the dataset `aliases`, for the tracks of one catalog.

    Parameters
    ----------
    store : Store
    ref : DatasetRef or None
        The version; None: there are no aliases.
    lookup : Lookup
        The catalog's tracks.
    tracks_ref : DatasetRef
        The version of `tracks` that these are.

    Attributes
    ----------
    namespaces : tuple of str
    """

    def __init__(self, store: Store, ref: DatasetRef | None, lookup: Lookup, tracks_ref: DatasetRef):
        self._store, self._lookup, self._tracks_ref, self.ref = store, lookup, tracks_ref, ref
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
        parts = {part.name: part.sha256 for part in self._store.manifest(self.ref).parts} if self.ref else {}
        names = self._stored[name].parts
        tracks = [part.sha256 for part in self._store.manifest(self._tracks_ref).parts]
        sources = [*(parts[f"{part}.parquet"] for part in names), "of", *tracks]
        write = partial(self._write_namespace, names)
        return _Namespace(derived_files(KIND, sources, write, cache=not self._store.verify_reads))

    def _write_namespace(self, parts: Sequence[str], files: ArrayFiles) -> None:
        columns = ["external_id", "track_id"]
        table = pa.concat_tables(self._store.read_part(ALIASES, part, columns) for part in parts)
        rows = self._lookup.rows_of(one_chunk(table["track_id"])).astype(np.int32)
        order = np.argsort(rows, kind="stable").astype(np.int32)
        write_table(files, "ids", table.select(["external_id"]))
        for array_name, array in {"rows": rows, "order": order, "sorted_rows": rows[order]}.items():
            files.write(array_name, array)


class _Namespace:
    """Sorted external IDs, and the catalog row of each; -1 where the track is gone."""

    def __init__(self, files: ArrayFiles):
        self._ids: Any = TextColumn(files.table("ids")["external_id"])  # without nulls
        self._rows, self._order, self._sorted_rows = map(files.array, ("rows", "order", "sorted_rows"))
        self._n = len(self._rows)

    def row_of(self, external_id: str) -> int | None:
        place = bisect_left(self._ids, external_id, 0, self._n)
        return int(self._rows[place]) if place < self._n and self._ids[place] == external_id else None

    def rows(self) -> np.ndarray:
        return np.unique(self._sorted_rows[np.searchsorted(self._sorted_rows, 0) :])

    def external_ids(self, rows: np.ndarray) -> list[str | None]:
        if not self._n:
            return [None] * len(rows)
        places = np.minimum(np.searchsorted(self._sorted_rows, rows.astype(self._sorted_rows.dtype)), self._n - 1)
        has_one = (rows >= 0) & (self._sorted_rows[places] == rows)
        found = iter(self._ids.take(self._order[places[has_one]].tolist()))
        return [next(found) if has else None for has in has_one]
