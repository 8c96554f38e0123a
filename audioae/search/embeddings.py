"""Embeddings in memory: one unit vector per track, the track IDs, and the model that made the embeddings.

Conventions
-----------
- Embeddings are (n, 128) float32, C-contiguous, L2-normalized: a dot product is a cosine.
- Row i of `embeddings` belongs to `track_ids[i]`. All embeddings of a table are from one model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow.compute import SetLookupOptions, call_function

from audioae.errors import SearchError

NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """Track embeddings of one model, validated on construction.

    Parameters
    ----------
    track_ids : pa.StringArray or sequence of str, length n
        Unique.
    embeddings : np.ndarray, shape (n, dim), L2-normalized
        Converted to C-contiguous float32, and not copied if it already is.
    model : str
        Name of the model, as `str(DatasetRef)` gives it: `model@3f2a91c0`.

    Raises
    ------
    SearchError
        If shapes do not match, a value is not finite, a norm is not 1, an ID is missing or duplicate, or the model has
        no name.

    >>> EmbeddingTable(["a", "b"], np.eye(2, 128), "model@1").row_of("b")
    1
    """

    track_ids: pa.StringArray
    embeddings: np.ndarray
    model: str

    def __init__(self, track_ids: pa.StringArray | Sequence[str] | np.ndarray, embeddings: np.ndarray, model: str):
        if not isinstance(track_ids, pa.StringArray):
            track_ids = pa.array(track_ids, pa.string())
        object.__setattr__(self, "track_ids", track_ids)
        object.__setattr__(self, "embeddings", np.ascontiguousarray(embeddings, np.float32))
        object.__setattr__(self, "model", model)
        self._check()

    @classmethod
    def from_arrow(cls, table: pa.Table, model: str) -> "EmbeddingTable":
        """Use the columns `track_id` (string) and `embedding` (fixed_size_list<float32>), without a copy."""
        if missing := {"track_id", "embedding"} - set(table.column_names):
            raise SearchError(f"embeddings table without column {sorted(missing)}; it has {table.column_names}")
        column = table["embedding"]
        if not pa.types.is_fixed_size_list(column.type) or column.null_count:
            raise SearchError(f"column embedding: got {column.type}, {column.null_count} null; wanted fixed_size_list")
        return cls(
            _one_chunk(table["track_id"]),
            _one_chunk(column).flatten().to_numpy().reshape(-1, column.type.list_size),
            model,
        )

    @classmethod
    def concat(cls, tables: Sequence["EmbeddingTable"]) -> "EmbeddingTable":
        """Stack tables of one model. Raises `SearchError` if models or dimensions differ, or an ID occurs twice."""
        if not tables:
            raise SearchError("concat: got no tables, wanted at least one")
        if len(models := sorted({table.model for table in tables})) > 1:
            raise SearchError(
                f"embeddings of different models cannot be compared: {', '.join(models)}; embed again with one"
            )
        if len(dims := sorted({table.dim for table in tables})) > 1:
            raise SearchError(f"embeddings of different dimensions cannot be stacked: {dims}")
        ids = pa.concat_arrays([table.track_ids for table in tables])
        return cls(ids, np.concatenate([table.embeddings for table in tables]), tables[0].model)

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def dim(self) -> int:
        return self.embeddings.shape[1]

    def row_of(self, track_id: str) -> int:
        """Row of a track. Raises `SearchError` if it is not in the table."""
        return int(self.rows_of([track_id])[0])

    def rows_of(self, track_ids: pa.StringArray | Sequence[str]) -> np.ndarray:
        """Rows of many tracks at once, int64. Raises `SearchError` naming the tracks that are not in the table."""
        wanted = pa.array(track_ids, pa.string())
        rows = call_function("index_in", [wanted], SetLookupOptions(self.track_ids))
        if rows.null_count:
            raise SearchError(
                f"no embedding of {_some(wanted.filter(rows.is_null()))} among the {len(self)} of {self.model}"
            )
        return rows.to_numpy(zero_copy_only=False).astype(np.int64)

    def places_of(self, track_ids: pa.StringArray) -> np.ndarray:
        """Rows of those of the given tracks that are in the table, ascending, int64."""
        return np.flatnonzero(
            call_function("is_in", [self.track_ids], SetLookupOptions(track_ids)).to_numpy(zero_copy_only=False)
        )

    def take(self, rows: np.ndarray) -> "EmbeddingTable":
        """The given rows, in the given order."""
        return EmbeddingTable(self.track_ids.take(pa.array(rows)), self.embeddings[rows], self.model)

    def without(self, track_ids: pa.StringArray) -> "EmbeddingTable":
        """The table without the given tracks; the table itself if it has none of them."""
        places = self.places_of(track_ids)
        return self.take(np.delete(np.arange(len(self)), places)) if len(places) else self

    def blocks(self, size: int) -> Iterator["EmbeddingTable"]:
        """The table in consecutive pieces of at most `size` rows, without copying."""
        for start in range(0, len(self), size):
            yield EmbeddingTable(
                self.track_ids[start : start + size], self.embeddings[start : start + size], self.model
            )

    def _check(self) -> None:
        shape, n_ids = self.embeddings.shape, len(self.track_ids)
        if len(shape) != 2 or shape[0] != n_ids or shape[1] == 0:
            raise SearchError(f"embeddings: got shape {shape} for {n_ids} track IDs, wanted ({n_ids}, dim)")
        if not self.model:
            raise SearchError(
                f"{n_ids} embeddings without the name of their model; pass it, for example model@3f2a91c0"
            )
        if self.track_ids.null_count:
            raise SearchError(
                f"track_ids: {self.track_ids.null_count} of {n_ids} are null; every embedding needs an ID"
            )
        counts = self.track_ids.value_counts()
        if len(counts) < n_ids:
            double = counts.field("values").filter(pa.array(counts.field("counts").to_numpy() > 1))
            raise SearchError(f"duplicate track IDs: {_some(double)}; an ID names one embedding")
        norms = np.sqrt(np.einsum("ij,ij->i", self.embeddings, self.embeddings))
        if (bad := ~np.isfinite(norms)).any():
            raise SearchError(
                f"embeddings with NaN or infinity: {_some(self.track_ids.filter(pa.array(bad)))}; embed them again"
            )
        if (bad := np.abs(norms - 1) > NORM_TOLERANCE).any():
            named = _some(self.track_ids.filter(pa.array(bad)))
            raise SearchError(
                f"embeddings of norm {norms[bad].min():.3g} to {norms[bad].max():.3g}, wanted 1: {named}; "
                "divide each by its norm, and leave out zero vectors"
            )


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _some(track_ids: pa.Array, most: int = 5) -> str:
    """At most five IDs, and the number of the others."""
    names = ", ".join(repr(name) for name in track_ids[:most].to_pylist())
    return names if len(track_ids) <= most else f"{names} and {len(track_ids) - most} more"
