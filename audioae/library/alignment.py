"""Catalog rows and index rows, lined up: which recording a track is, and how close its neighbors are.

Conventions
-----------
- A catalog row is a position in the dataset `tracks`, an index row a position in the index's IDs. Exact duplicates have
  catalog rows of their own and share the index row of the one that was embedded.
- Everything is computed once per generation and then mapped; a query only indexes into the arrays.
"""

import numpy as np
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError, StoreError
from audioae.library.array_files import ArrayFiles, derived_files
from audioae.library.catalog_columns import CatalogColumns
from audioae.library.track_ids import TrackIds
from audioae.pipeline.index_neighbors import FILE, read_index_neighbors
from audioae.search.index import SearchIndex
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

KIND = "alignment-2"  # another number when other files are written


class RowAlignment:
    """The rows of a catalog and of an index built from its embeddings.

    Attributes
    ----------
    index_row : np.ndarray, shape (n_tracks,), int32
        Index row of each catalog row; -1 where the track has no embedding.
    by_index : np.ndarray, shape (n_embedded,), int32
        Catalog rows with an embedding, ordered by index row; of exact duplicates the embedded one comes first.
    place : np.ndarray, shape (n_tracks,), int32
        Where each catalog row is in `by_index`; -1 where the track has no embedding.
    sorted_index_row : np.ndarray, shape (n_embedded,), int32
        The index rows of `by_index`, ascending.
    catalog_row : np.ndarray, shape (n_index,), int32
        Catalog row of the track that was embedded, for each index row.
    group : np.ndarray, shape (n_index,), int32
        A number for each index row that near duplicates share.
    artist : np.ndarray, shape (n_tracks,), int32
        A number per artist; -1 where the artist is unknown.
    """

    def __init__(self, files: ArrayFiles, columns: CatalogColumns, ref: DatasetRef):
        self._ref = ref
        self.index_row, self.by_index = files.array("index_row"), files.array("by_index")
        self.place = files.array("place")
        self.sorted_index_row, self.catalog_row = files.array("sorted_index_row"), files.array("catalog_row")
        self.group, self.artist = files.array("group"), columns.codes["artist"]
        self._mean_knn_cosine = files.array("mean_knn_cosine") if "mean_knn_cosine" in files else None

    @property
    def has_neighbors(self) -> bool:
        """Whether `mean_knn_cosine` was measured."""
        return self._mean_knn_cosine is not None

    @property
    def mean_knn_cosine(self) -> np.ndarray:
        """Mean cosine of each index row to its 10 nearest others, shape (n_index,), float32.

        Raises
        ------
        SearchError
            If the index was built before this was measured.
        """
        if self._mean_knn_cosine is None:
            raise SearchError(
                f"{self._ref} does not hold the mean cosines that hub correction needs; build the index again "
                "(audioae run index CONFIG)"
            )
        return self._mean_knn_cosine


def open_alignment(
    store: Store, columns: CatalogColumns, tracks: DatasetRef, index: SearchIndex, ref: DatasetRef
) -> RowAlignment:
    """The rows of a catalog and an index: mapped, or in memory if the store verifies all that it reads.

    Raises
    ------
    StoreError
        If the index contains tracks that the catalog does not.
    """
    files = [part for part in store.manifest(ref).parts if part.name.endswith((SearchIndex.FILES[1], FILE))]
    hashes = [part.sha256 for part in (*store.manifest(tracks).parts, *files)]

    def write(files: ArrayFiles) -> None:
        ids = TrackIds(index.read_ids())
        if missing := _write_rows(files, columns, ids):
            raise StoreError(f"{ref} contains {missing} tracks missing from {tracks}")
        _write_neighbors(files, store, ids, ref)

    return RowAlignment(derived_files(KIND, hashes, write, cache=not store.verify_reads), columns, ref)


def _write_rows(files: ArrayFiles, columns: CatalogColumns, ids: TrackIds) -> int:
    """Write which row is which; the number of index rows that no catalog row was embedded for."""
    index_row, embedded = [np.empty(0, np.int32)], [np.empty(0, bool)]
    for block in columns.tracks.select(["track_id", "duplicate_of"]).to_batches():
        keeper = pc.coalesce(block["duplicate_of"], block["track_id"])
        index_row.append(ids.rows_of(keeper).astype(np.int32))
        embedded.append(block["duplicate_of"].is_null().to_numpy(zero_copy_only=False))
    index_row, embedded = np.concatenate(index_row), np.concatenate(embedded)
    if missing := len(ids) - len(np.unique(index_row[embedded & (index_row >= 0)])):
        return missing
    by_index = np.lexsort((~embedded, index_row))[(index_row < 0).sum() :].astype(np.int32)
    sorted_index_row = index_row[by_index]
    files.write("index_row", index_row)
    files.write("by_index", by_index)
    place = np.full(len(index_row), -1, np.int32)
    place[by_index] = np.arange(len(by_index), dtype=np.int32)
    files.write("place", place)
    files.write("sorted_index_row", sorted_index_row)
    files.write("catalog_row", by_index[np.diff(sorted_index_row, prepend=-1) > 0])
    return 0


def _write_neighbors(files: ArrayFiles, store: Store, ids: TrackIds, ref: DatasetRef) -> None:
    """Write what was measured when the index was built, in the order of its rows."""
    group = np.arange(len(ids), dtype=np.int32)
    neighbors = read_index_neighbors(store, ref)
    if neighbors is not None:
        rows = ids.rows_of(neighbors["track_id"].combine_chunks())
        first = ids.rows_of(neighbors["duplicate_group"].combine_chunks())
        group[rows[first >= 0]] = first[first >= 0]
        mean_knn_cosine = np.full(len(ids), np.nan, np.float32)
        mean_knn_cosine[rows] = neighbors["radius"].to_numpy()
        files.write("mean_knn_cosine", mean_knn_cosine)
    files.write("group", group)
