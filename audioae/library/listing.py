"""The indexed tracks as a list: pages in the order of track_ids, counts, and how often each value of a column occurs.

Conventions
-----------
- An indexed track has an embedding of its own, or the same bytes as one that has.
- Filters that nothing passes give an empty list, not an error.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import NoMatchError
from audioae.library.filters import Filters, matching
from audioae.library.generation import Generation
from audioae.pipeline.shards import shard_of


class Page(NamedTuple):
    """Catalog rows, shape (n,), int64, in the order of their track_ids, and the track_id that comes next, if any."""

    rows: np.ndarray
    next_id: str | None


def page_of_tracks(library: Generation, limit: int, *, start: str = "", filters: Filters | None = None) -> Page:
    """The first `limit` indexed tracks that pass, from the track_id `start` on, which need not exist."""
    mask = _indexed(library, filters)
    rows, found = library.lookup.rows_from(start), np.empty(0, np.int64)
    size = 2 * limit + 64
    while len(rows) and len(found) <= limit:
        block, rows, size = rows[:size], rows[size:], 4 * size
        found = np.concatenate([found, block[mask[block]]])
    after = library.lookup.cells.texts["track_id"][int(found[limit])] if len(found) > limit else None
    return Page(found[:limit], after)


def count_tracks(library: Generation, filters: Filters | None = None) -> int:
    """How many indexed tracks pass."""
    return int(_indexed(library, filters).sum()) if filters else len(library.alignment.by_index)


def count_values(library: Generation, column: str, filters: Filters | None = None) -> dict[str | int, int]:
    """How many indexed tracks that pass have each value of a column; the most frequent first, then in order."""
    values = library.tracks[column].filter(pa.array(_indexed(library, filters))).drop_null()
    counts = pa.table({"value": (counted := values.value_counts()).field(0), "count": counted.field(1)})
    counts = counts.sort_by([("count", "descending"), ("value", "ascending")])
    return dict(zip(counts["value"].to_pylist(), counts["count"].to_pylist(), strict=True))


def embeddings_at(library: Generation, rows: np.ndarray) -> np.ndarray:
    """The stored embeddings of some indexed tracks.

    Parameters
    ----------
    library : Generation
    rows : np.ndarray, shape (n,), int64
        Catalog rows.

    Returns
    -------
    embeddings : np.ndarray, shape (n, dim), float32, L2-normalized
        From the index if it keeps them, else from the parts of `embeddings` in which the tracks are.
    """
    index_rows = library.alignment.index_row[rows]
    if library.index.keeps_embeddings or not len(rows):
        return library.index.embeddings(index_rows)
    embedded = library.tracks.select(["track_id", "shard"]).take(pa.array(library.alignment.catalog_row[index_rows]))
    shards = set(embedded["shard"].to_pylist())
    parts = library.store.manifest(library.embeddings_ref).parts
    tables = [
        library.store.read_part(
            library.embeddings_ref.dataset, part.name.removesuffix(".parquet"), ["track_id", "embedding"]
        )
        for part in parts
        if shard_of(part.name) in shards
    ]
    table = pa.concat_tables(tables)
    places = pc.index_in(embedded["track_id"], value_set=table["track_id"])
    found = table["embedding"].take(places).combine_chunks()
    return np.asarray(found.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(len(rows), -1)


def _indexed(library: Generation, filters: Filters | None) -> np.ndarray:
    """Which catalog rows are indexed and pass, shape (n_tracks,), bool."""
    indexed = library.alignment.index_row >= 0
    if not filters:
        return indexed
    try:
        return indexed & matching(library.columns, filters)
    except NoMatchError:
        return np.zeros(len(indexed), bool)
