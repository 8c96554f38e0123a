"""The tracks that two versions of `embeddings` both have, read block by block.

Conventions
-----------
- A shared track has a number, 0 to n - 1, in the order of the second version; a position is a row of a version.
- What a track is called comes from the catalog of the second version.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from audioae.errors import EvaluationError
from audioae.library.catalog_columns import open_columns
from audioae.library.track_ids import TrackIds
from audioae.pipeline.embeddings import iter_embeddings, take_embeddings
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


def embeddings_of(store: Store, ref: DatasetRef) -> DatasetRef:
    """The embeddings that a version of `embeddings` or `index` is or was built from.

    Raises
    ------
    EvaluationError
        If it is a version of something else.
    """
    if ref.dataset == "embeddings":
        return ref
    if ref.dataset == "index":
        return store.manifest(ref).parent("embeddings")
    raise EvaluationError(
        f"got {ref}, wanted a version of embeddings or index, such as embeddings@1a2b...; `audioae versions` lists them"
    )


class SharedTracks:
    """The tracks of two versions of the embeddings of one store.

    Attributes
    ----------
    refs : (DatasetRef, DatasetRef)
    sizes : (int, int)
        Tracks of each version.
    ids : pa.StringArray, length n
        track_id of each shared track.
    positions : (np.ndarray, np.ndarray), each of shape (n,), int64
        Where each shared track is in each version; the second is ascending.
    catalog_rows : np.ndarray, shape (n,), int64
        Rows of the second version's catalog.
    """

    def __init__(self, store: Store, a: DatasetRef, b: DatasetRef):
        self.store, self.refs = store, (a, b)
        ids = [_ids(store, ref) for ref in (a, b)]
        self.sizes = len(ids[0]), len(ids[1])
        in_a = TrackIds(ids[0]).rows_of(ids[1])
        in_b = np.flatnonzero(in_a >= 0)
        self.positions = in_a[in_b], in_b
        self.ids = ids[1].take(pa.array(in_b))
        self.columns = open_columns(store, store.manifest(b).parent("tracks"))
        self.catalog_rows = self.columns.ids.rows_of(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def codes(self, column: str) -> np.ndarray:
        """The code of each shared track's label, artist or album; -1 where it is unknown. Shape (n,), int64."""
        known = self.catalog_rows >= 0
        return np.where(known, self.columns.codes[column][self.catalog_rows], -1).astype(np.int64)

    def texts(self, column: str, numbers: np.ndarray) -> list[str | None]:
        """What the catalog says of some tracks."""
        return self.columns.tracks[column].take(pa.array(self.catalog_rows[numbers])).to_pylist()

    def described(self, numbers: np.ndarray) -> list[dict[str, str | None]]:
        """track_id, title, artist and label of some tracks."""
        names = ("track_id", "title", "artist", "label")
        rows = self.columns.shown.texts(self.catalog_rows[numbers].tolist())
        return [{name: row[name] for name in names} for row in rows]

    def vectors(self, version: int, numbers: np.ndarray) -> np.ndarray:
        """The embeddings of some tracks in version 0 or 1, shape (len(numbers), dim), float32."""
        positions = self.positions[version][numbers]
        order = np.argsort(positions)
        taken = take_embeddings(self.store, self.refs[version], positions)
        vectors = np.empty((len(numbers), taken.dim), np.float32)
        vectors[order] = taken.embeddings
        return vectors

    def blocks(self, version: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The embeddings of all shared tracks in version 0 or 1, and their numbers."""
        number = np.full(self.sizes[version], -1, np.int64)
        number[self.positions[version]] = np.arange(len(self))
        start = 0
        for table in iter_embeddings(self.store, self.refs[version]):
            numbers = number[start : start + len(table)]
            start += len(table)
            shared = numbers >= 0
            yield (table.embeddings if shared.all() else table.embeddings[shared]), numbers[shared]


def _ids(store: Store, ref: DatasetRef) -> pa.StringArray:
    tables = store.read_parts(ref.dataset, store.manifest(ref).parts, ["track_id"])
    return pa.concat_arrays([pa.array([], pa.string()), *(chunk for t in tables for chunk in t["track_id"].chunks)])
