"""The rows of a catalog beside the rows of its index: which recording a track is, and what lies around it.

What is asked of an index (`RowAlignment`) goes by its own groups of copies; what is asked of embeddings, by those of an
index that was made from them (`known_copies`).

Conventions
-----------
- A catalog row is a position in `library.tracks`, an index row one in `library.index.ids`. Exact duplicates have
  catalog rows of their own and share the index row of the one that was embedded.
"""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError, StoreError
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

if TYPE_CHECKING:
    from audioae.library.generation import Generation


SHOWN = ("track_id", "artist", "album", "label", "year", "duration_s", "uri", "title")


class RowAlignment:
    """Both lined up, once per library.

    Attributes
    ----------
    index_row : np.ndarray, shape (n_tracks,), int64
        Of each catalog row; -1 where the track has no embedding.
    by_index : np.ndarray
        Catalog rows with an embedding by index row, of exact duplicates the embedded one first.
    artist : np.ndarray, shape (n_tracks,), int
        A number per artist; -1 where it is not known.
    """

    def __init__(self, library: "Generation"):
        self._library = library
        tracks = library.tracks
        keeper = pc.coalesce(tracks["duplicate_of"], tracks["track_id"])
        index_row = pc.fill_null(pc.index_in(keeper, value_set=library.index.ids), -1).to_numpy()
        first = pc.is_null(tracks["duplicate_of"]).to_numpy()
        self.index_row = index_row.astype(np.int64)
        if missing := len(library.index) - len(np.unique(index_row[first & (index_row >= 0)])):
            raise StoreError(f"{library.index_ref} holds {missing} tracks that {library.tracks_ref} has not got")
        self.by_index = np.lexsort((~first, index_row))[(index_row < 0).sum() :]
        self.artist = pc.fill_null(tracks["artist"].combine_chunks().dictionary_encode().indices, -1).to_numpy()

    @cached_property
    def _neighborhood(self) -> pa.Table | None:
        found = read_index_neighbors(self._library.store, self._library.index_ref)
        return found and found.take(pc.index_in(self._library.index.ids, value_set=found["track_id"]))

    @cached_property
    def radius(self) -> np.ndarray:
        """Of each index row. Raises `SearchError` if the index is from before radii were measured."""
        if self._neighborhood is None:
            ref = self._library.index_ref
            raise SearchError(f"{ref} holds no radii, which hub correction needs; build the index again")
        return self._neighborhood["radius"].to_numpy()

    @cached_property
    def group(self) -> np.ndarray:
        """A number for each index row that near duplicates share."""
        own = pa.array(np.arange(len(self._library.index), dtype=np.int32))
        if self._neighborhood is None:
            return own.to_numpy()
        first = pc.index_in(self._neighborhood["duplicate_group"], value_set=self._library.index.ids)
        return pc.coalesce(first, own).to_numpy()


class Copies(NamedTuple):
    """Near duplicates among embeddings, and the index by which they are known; None: no index knows of any.

    `keepers` has the track_id of every copy, and that of the track that stands for its recording.
    """

    keepers: dict[str, str]
    index: DatasetRef | None


def known_copies(store: Store, embeddings: DatasetRef) -> Copies:
    """What the index made from `embeddings` knows: the current one if it is that, else the newest that is."""
    current = store.latest("index")
    for ref in [*([current] if current else []), *(ref for ref, _ in store.versions("index") if ref != current)]:
        if store.manifest(ref).parents.get("embeddings") != embeddings.version:
            continue
        if (found := read_index_neighbors(store, ref)) is not None:
            pairs = zip(found["track_id"].to_pylist(), found["duplicate_group"].to_pylist(), strict=True)
            return Copies({copy: keeper for copy, keeper in pairs if keeper not in (None, copy)}, ref)
    return Copies({}, None)


def rows_with_copies(tracks: pa.Table, track_ids: Sequence[str], keepers: Mapping[str, str]) -> dict[str, int]:
    """Which of `track_ids` every track of a catalog stands for, as its position: itself, or another of its recording.

    Parameters
    ----------
    tracks : pa.Table
        The catalog, which knows the copies of the same bytes.
    track_ids : sequence of str
    keepers : mapping of str to str
        The near ones, as in `Copies`; a copy stands for its keeper where that is among `track_ids`.
    """
    position = {keepers.get(track_id, track_id): row for row, track_id in enumerate(track_ids)}
    position |= {track_id: row for row, track_id in enumerate(track_ids) if track_id not in keepers}
    embedded = pc.coalesce(tracks["duplicate_of"], tracks["track_id"]).to_pylist()
    recordings = zip(tracks["track_id"].to_pylist(), (keepers.get(one, one) for one in embedded), strict=True)
    return {track_id: position[recording] for track_id, recording in recordings if recording in position}


def substitutes(tracks: pa.Table, passed: np.ndarray) -> dict[str, dict[str, Any]]:
    """By the track_id that was embedded and did not pass: what is shown of the first with the same bytes that did.

    Parameters
    ----------
    tracks : pa.Table
        The catalog.
    passed : np.ndarray, shape (n,), bool
        Which of its tracks pass the filters.
    """
    own = set(tracks["track_id"].to_numpy()[passed])
    copies = tracks.filter(pa.array(passed)).filter(tracks["duplicate_of"].filter(pa.array(passed)).is_valid())
    rows = reversed(copies.select([*SHOWN, "duplicate_of"]).to_pylist())
    found = {row.pop("duplicate_of"): {**row, "title": row["title"] or Path(row["uri"]).stem} for row in rows}
    return {embedded: row for embedded, row in found.items() if embedded not in own}
