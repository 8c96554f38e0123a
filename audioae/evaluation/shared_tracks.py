"""The tracks that two versions of `embeddings` both have, read block by block.

Conventions
-----------
- A shared track has a number, 0 to n - 1, in the order of the second version; a position is a row of a version.
- What a track is called comes from the catalog of the second version.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from audioae.constants import EMBEDDING_DIM
from audioae.errors import EvaluationError
from audioae.library.catalog_columns import open_columns
from audioae.library.track_ids import TrackIds
from audioae.pipeline.embeddings import COLUMNS, model_of
from audioae.search.embeddings import EmbeddingTable
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

BLOCK = 1 << 14  # tracks in memory at a time: 8 MiB


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
    positions : (np.ndarray, np.ndarray), each of shape (n,), int32
        Where each shared track is in each version; the second is ascending.
    catalog_rows : np.ndarray, shape (n,), int32
        Rows of the second version's catalog.
    """

    def __init__(self, store: Store, a: DatasetRef, b: DatasetRef):
        self.store, self.refs = store, (a, b)
        ids = [_ids(store, ref) for ref in (a, b)]
        self.sizes = len(ids[0]), len(ids[1])
        if ids[0].equals(ids[1]):
            self.ids, self.positions = ids[1], (np.arange(len(ids[1]), dtype=np.int32),) * 2
        else:
            in_a = _rows_of(TrackIds(ids[0]), ids[1])
            in_b = np.flatnonzero(in_a >= 0).astype(np.int32)
            self.ids, self.positions = ids[1].take(pa.array(in_b)), (in_a[in_b], in_b)
        self.columns = open_columns(store, store.manifest(b).parent("tracks"))
        self.catalog_rows = _rows_of(self.columns.ids, self.ids)
        del ids
        pa.default_memory_pool().release_unused()

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
        place = np.full(len(self), -1, np.int32)
        place[numbers] = np.arange(len(numbers), dtype=np.int32)
        chosen: list[np.ndarray] = [np.empty((0, EMBEDDING_DIM), np.float32)]
        places: list[np.ndarray] = [np.empty(0, np.int32)]
        for vectors, shared in self.blocks(version):
            wanted = place[shared] >= 0
            chosen.append(vectors[wanted])
            places.append(place[shared[wanted]])
        return np.concatenate(chosen)[np.argsort(np.concatenate(places))]

    def blocks(self, version: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The embeddings of all shared tracks in version 0 or 1, and their numbers."""
        number = np.full(self.sizes[version], -1, np.int64)
        number[self.positions[version]] = np.arange(len(self))
        start = 0
        for vectors in _blocks(self.store, self.refs[version]):
            numbers = number[start : start + len(vectors)]
            start += len(vectors)
            shared = numbers >= 0
            yield (vectors if shared.all() else vectors[shared]), numbers[shared]


def _blocks(store: Store, ref: DatasetRef) -> Iterator[np.ndarray]:
    """The embeddings of a version; one block is in memory at a time."""
    model = model_of(store, ref)
    for part in store.manifest(ref).parts:
        for table in store.part_blocks(ref.dataset, part.name.removesuffix(".parquet"), COLUMNS, rows=BLOCK):
            yield EmbeddingTable.from_arrow(table, model).embeddings


def _rows_of(ids: TrackIds, wanted: pa.StringArray) -> np.ndarray:
    """Rows of some IDs, shape (n,), int32; -1 where one is unknown."""
    blocks = [ids.rows_of(wanted[i : i + BLOCK]).astype(np.int32) for i in range(0, len(wanted), BLOCK)]
    return np.concatenate([np.empty(0, np.int32), *blocks])


def _ids(store: Store, ref: DatasetRef) -> pa.StringArray:
    tables = store.read_parts(ref.dataset, store.manifest(ref).parts, ["track_id"])
    return pa.concat_arrays([pa.array([], pa.string()), *(chunk for t in tables for chunk in t["track_id"].chunks)])
