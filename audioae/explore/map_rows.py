"""The tracks of a map in rows: their places, and which rows of the catalog and the index they are.

Conventions
-----------
- A row is the number of a track on the map, 0 to n - 1, in the order of the served index. Tracks that the index has and
  the map has not (an older map) have no row, nor have tracks that the index has not.
- Copies with the same bytes share the row of the track that was embedded.
- Everything is computed once per map and index and then mapped: 40 bytes a track on disk, shared by all processes.
"""

import numpy as np

from audioae.library.alignment import RowAlignment
from audioae.library.array_files import ArrayFiles, derived_files
from audioae.library.catalog_columns import CatalogColumns
from audioae.library.generation import Generation
from audioae.maps.reader import CatalogMap
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

KIND = "map-rows-1"  # another number when other files are written


class MapRows:
    """The rows of a map.

    Attributes
    ----------
    points : np.ndarray, shape (n, 2), float32
        x and y.
    region : np.ndarray, shape (n,), int32
        The number of a region; -1: in none.
    catalog_row, index_row : np.ndarray, shape (n,), int32
    row : np.ndarray, shape (n_tracks,), int32
        Of each catalog row; -1 where the track is not on the map.
    by_y : np.ndarray, shape (n,), int32
        Rows in the order of y; `sorted_x` and `sorted_y` are their places.
    """

    def __init__(self, files: ArrayFiles):
        self.points, self.region = files.array("points"), files.array("region")
        self.catalog_row, self.index_row = files.array("catalog_row"), files.array("index_row")
        self.row, self.by_y = files.array("row"), files.array("by_y")
        self.sorted_x, self.sorted_y = files.array("sorted_x"), files.array("sorted_y")

    def __len__(self) -> int:
        return len(self.points)


def sources_of(store: Store, *refs: DatasetRef) -> list[str]:
    """Hashes of all that some versions consist of."""
    return [part.sha256 for ref in refs for part in store.manifest(ref).parts]


def open_rows(library: Generation, opened: CatalogMap) -> MapRows:
    """The rows of a map that was made for this index or another: mapped, or in memory if the store verifies reads."""
    store = library.store
    alignment, columns = library.alignment, library.columns  # now: the cache makes one thing at a time
    sources = sources_of(store, opened.ref, library.index_ref, library.tracks_ref)

    def write(files: ArrayFiles) -> None:
        _write(files, alignment, columns, opened)

    return MapRows(derived_files(KIND, sources, write, cache=not store.verify_reads))


def _write(files: ArrayFiles, alignment: RowAlignment, columns: CatalogColumns, opened: CatalogMap) -> None:
    places = np.full((len(columns), 2), np.nan, np.float32)
    regions = np.full(len(columns), -1, np.int32)
    start = 0
    for block in opened.track_ids.chunks:
        rows = columns.ids.rows_of(block)
        known, own = rows >= 0, slice(start, start := start + len(block))
        places[rows[known]] = opened.points[own][known]
        regions[rows[known]] = opened.region[own][known]
    on_map = np.asarray(np.isfinite(places[alignment.catalog_row]).all(axis=1))
    catalog_row = alignment.catalog_row[on_map]
    points = places[catalog_row]
    row_of_index = np.full(len(on_map) + 1, -1, np.int32)  # the last is for tracks without an embedding
    row_of_index[:-1][on_map] = np.arange(len(points), dtype=np.int32)
    by_y = np.argsort(points[:, 1], kind="stable").astype(np.int32)
    files.write("points", points)
    files.write("region", regions[catalog_row])
    files.write("catalog_row", catalog_row)
    files.write("index_row", np.flatnonzero(on_map).astype(np.int32))
    files.write("row", row_of_index[alignment.index_row])
    files.write("by_y", by_y)
    files.write("sorted_x", points[by_y, 0])
    files.write("sorted_y", points[by_y, 1])
