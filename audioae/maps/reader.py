"""A map of a store, opened for questions: the places and regions of the tracks, as mapped arrays.

Conventions
-----------
- A row is a position in the map: the order of the embeddings that its index was built from. A track with the same bytes
  as another has no row; its place is that of the track it is a `duplicate_of`.
- Places are in the map's own unit; only distances within one map and its successors mean anything. y points up.
- Everything is derived once per map and then mapped (`library.array_files`), so a map of 1,000,000 tracks costs the
  memory of the pages that are read.

>>> read_map(store, index).points  # doctest: +SKIP
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from audioae.errors import NotMappedError
from audioae.library.array_files import ArrayFiles, derived_files
from audioae.library.track_ids import TrackIds, fixed_width
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import MAP

KIND = "map-1"  # another number when other files are written


@dataclass(frozen=True)
class Trait:
    """A value that is more frequent in a region than elsewhere.

    Parameters
    ----------
    column, value : str
        Such as label, Techno. The text is what the catalog says: anything.
    n : int
        Tracks of the region that have it.
    share, lift : float
        Of the region's tracks; and how many times that of the whole map.
    """

    column: str
    value: str
    n: int
    share: float
    lift: float


@dataclass(frozen=True)
class Region:
    """A region of a map.

    Parameters
    ----------
    region : int
        Its number, which it keeps from version to version.
    name : str
        Unique on the map.
    n : int
        Its tracks.
    x, y : float
        Where its name goes: the place of a track in its middle.
    traits : tuple of Trait
        What distinguishes it, the strongest first.
    """

    region: int
    name: str
    n: int
    x: float
    y: float
    traits: tuple[Trait, ...]


class CatalogMap:
    """One version of `map`.

    Attributes
    ----------
    ref, index_ref, embeddings_ref : DatasetRef
        The map, and what it is of.
    points : np.ndarray, shape (n, 2), float32
        x and y of each row.
    region : np.ndarray, shape (n,), int32
        Number of each row's region; -1 if it is in none.
    fitted : np.ndarray, shape (n,), bool
        Whether the layout was fitted to the track; the others were placed among those that are nearest to them.
    """

    def __init__(self, store: Store, ref: DatasetRef, files: ArrayFiles):
        manifest = store.manifest(ref)
        self.ref, self.index_ref, self.embeddings_ref = ref, manifest.parent("index"), manifest.parent("embeddings")
        self.points, self.region, self.fitted = (files.array(name) for name in ("points", "region", "fitted"))
        self._store, self._regions_ref = store, manifest.parent("regions")
        self._ids = files.table("track_ids")["track_id"]
        self._sorted = files.array("sorted_ids"), files.array("sorted_rows")

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The regions, largest first."""
        rows = self._store.read(self._regions_ref).to_pylist()
        return tuple(Region(**{**row, "traits": tuple(Trait(**trait) for trait in row["traits"])}) for row in rows)

    @property
    def x(self) -> np.ndarray:
        """Shape (n,), float32."""
        return self.points[:, 0]

    @property
    def y(self) -> np.ndarray:
        """Shape (n,), float32."""
        return self.points[:, 1]

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of all tracks."""
        (x0, y0), (x1, y1) = self.points.min(axis=0).tolist(), self.points.max(axis=0).tolist()
        return x0, y0, x1, y1

    @property
    def track_ids(self) -> pa.ChunkedArray:
        """track_id of each row, mapped."""
        return self._ids

    @cached_property
    def ids(self) -> TrackIds:
        """Finds the rows of track IDs; -1 for a track that is not on the map."""
        return TrackIds.from_sorted(*self._sorted)


def find_map(store: Store, index: DatasetRef) -> DatasetRef | None:
    """The map of an index, the current one before newer and older ones; None if none is whole."""
    refs = [ref for ref in [store.latest("map")] if ref] + store.whole_versions("map")
    of_index = (ref for ref in refs if store.manifest(ref).parents.get("index") == index.version)
    return next((ref for ref in of_index if store.has_version(store.manifest(ref).parent("regions"))), None)


def read_map(store: Store, index: DatasetRef) -> CatalogMap:
    """Open the newest map of an index.

    Raises
    ------
    NotMappedError
        If the index has no map.
    """
    ref = find_map(store, index)
    if ref is None:
        raise NotMappedError(f"{store.storage.locate('')}: {index} has no map; make one (`audioae run map CONFIG`)")
    return open_map(store, ref)


def open_map(store: Store, ref: DatasetRef) -> CatalogMap:
    """Open one version of `map`: mapped, or in memory if the store verifies all that it reads."""
    hashes = [part.sha256 for part in store.manifest(ref).parts]
    files = derived_files(KIND, hashes, lambda files: _write(files, store, ref), cache=not store.verify_reads)
    return CatalogMap(store, ref, files)


def _write(files: ArrayFiles, store: Store, ref: DatasetRef) -> None:
    points, region, fitted, ids = [np.empty((0, 2), np.float32)], [np.empty(0, np.int32)], [np.empty(0, bool)], []
    schema = pa.schema([MAP.field("track_id")])
    with files.sink("track_ids") as sink, pa.ipc.new_file(sink, schema) as writer:
        for table in store.iter_parts(ref):
            writer.write_table(table.select(["track_id"]))
            points.append(np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()]))
            region.append(table["region"].to_numpy())
            fitted.append(table["fitted"].to_numpy())
            ids.append(fixed_width(table["track_id"].combine_chunks()))
    for name, blocks in (("points", points), ("region", region), ("fitted", fitted)):
        files.write(name, np.concatenate(blocks))
    sorted_ids, sorted_rows = TrackIds.sort(np.concatenate([np.empty(0, "S1"), *ids]))
    files.write("sorted_ids", sorted_ids)
    files.write("sorted_rows", sorted_rows)
