"""Catalog rows and index rows, lined up: which recording a track is, and how close its neighbors are.

Conventions
-----------
- A catalog row is a position in the dataset `tracks`, an index row a position in the index's IDs. Exact duplicates have
  catalog rows of their own and share the index row of the one that was embedded.
- Everything is computed once per generation; a query only indexes into the arrays.
"""

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import SearchError, StoreError
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.search.index import SearchIndex
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


class RowAlignment:
    """The rows of a catalog and of an index built from its embeddings.

    Attributes
    ----------
    index_row : np.ndarray, shape (n_tracks,), int64
        Index row of each catalog row; -1 where the track has no embedding.
    by_index : np.ndarray, shape (n_embedded,), int64
        Catalog rows with an embedding, ordered by index row; of exact duplicates the embedded one comes first.
    sorted_index_row : np.ndarray, shape (n_embedded,), int64
        The index rows of `by_index`, ascending.
    catalog_row : np.ndarray, shape (n_index,), int64
        Catalog row of the track that was embedded, for each index row.

    Raises
    ------
    StoreError
        If the index contains tracks that the catalog does not.
    """

    def __init__(self, store: Store, tracks: pa.Table, tracks_ref: DatasetRef, index: SearchIndex, ref: DatasetRef):
        self._store, self._tracks, self._index, self._ref = store, tracks, index, ref
        keeper = pc.coalesce(tracks["duplicate_of"], tracks["track_id"])
        index_row = pc.fill_null(pc.index_in(keeper, value_set=index.ids), -1).to_numpy()
        embedded = pc.is_null(tracks["duplicate_of"]).to_numpy()
        self.index_row = index_row.astype(np.int64)
        if missing := len(index) - len(np.unique(index_row[embedded & (index_row >= 0)])):
            raise StoreError(f"{ref} contains {missing} tracks missing from {tracks_ref}")
        self.by_index = np.lexsort((~embedded, index_row))[(index_row < 0).sum() :]
        self.sorted_index_row = self.index_row[self.by_index]
        self.catalog_row = self.by_index[np.diff(self.sorted_index_row, prepend=-1) > 0]

    @cached_property
    def artist(self) -> np.ndarray:
        """A number per artist, shape (n_tracks,), int; -1 where the artist is unknown."""
        return pc.fill_null(self._tracks["artist"].combine_chunks().dictionary_encode().indices, -1).to_numpy()

    @cached_property
    def mean_knn_cosine(self) -> np.ndarray:
        """Mean cosine of each index row to its 10 nearest others, shape (n_index,), float32.

        Raises
        ------
        SearchError
            If the index was built before this was measured.
        """
        if self._neighbors is None:
            raise SearchError(
                f"{self._ref} does not hold the mean cosines that hub correction needs; build the index again "
                "(audioae run index CONFIG)"
            )
        return self._neighbors["radius"].to_numpy()

    @cached_property
    def group(self) -> np.ndarray:
        """A number for each index row that near duplicates share, shape (n_index,), int32."""
        alone = pa.array(np.arange(len(self._index), dtype=np.int32))
        if self._neighbors is None:
            return alone.to_numpy()
        first = pc.index_in(self._neighbors["duplicate_group"], value_set=self._index.ids)
        return pc.coalesce(first, alone).to_numpy()

    @cached_property
    def _neighbors(self) -> pa.Table | None:
        """What was measured when the index was built, in the order of its rows."""
        neighbors = read_index_neighbors(self._store, self._ref)
        if neighbors is None:
            return None
        return neighbors.take(pc.index_in(self._index.ids, value_set=neighbors["track_id"])).combine_chunks()
