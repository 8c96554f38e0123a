"""Stage similar: the nearest tracks of every track, as a table for systems that read tables.

Conventions
-----------
- A track's neighbors are those that `Library.similar` gives by default: neither the track nor a copy of it, and of each
  other group of copies the nearest. A track with the same bytes as another has no rows of its own: its neighbors are
  those of the track it is a `duplicate_of`.
- A track has fewer than `k` neighbors only if the catalog has no more.
- A block is `BLOCK` tracks in the order of the embeddings, and makes one part. A block that exists is not computed
  again, and any two processes may compute the same one.
- All blocks are computed for each index: a track that another index adds may be a neighbor of any other track.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.library.generation import Generation
from audioae.pipeline.embeddings import take_embeddings
from audioae.search.embeddings import EmbeddingTable
from audioae.similarity.config import SimilarConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import SIMILAR

CODE = 1  # raise it when the same index would give other neighbors
BLOCK = 10_000  # tracks per part


def publish_similar(store: Store, config: SimilarConfig, index: DatasetRef) -> DatasetRef:
    """Publish `similar`: the `k` nearest tracks of every track of an index."""
    if made := store.find("similar", _recipe(config, index)):
        return store.make_current(made)
    compute_similar(store, config, index, pending_similar(store, config, index))
    return commit_similar(store, config, index)


def pending_similar(store: Store, config: SimilarConfig, index: DatasetRef) -> list[int]:
    """The blocks that are not computed yet."""
    stored = store.part_fingerprints("similar")
    return [number for number, name in enumerate(_names(store, config, index)) if name not in stored]


def compute_similar(store: Store, config: SimilarConfig, index: DatasetRef, blocks: Iterable[int]) -> int:
    """Compute some blocks; returns how many were computed."""
    names, n_computed = _names(store, config, index), 0
    library = Generation(Store(store.root, verify=False), index)  # its columns are derived once, for all processes
    ref = library.embeddings_ref
    n = store.manifest(ref).rows
    for number in blocks:
        if not store.has_part("similar", names[number]):
            rows = np.arange(number * BLOCK, min((number + 1) * BLOCK, n))
            table = neighbors_of(library, take_embeddings(store, ref, rows), config.k)
            store.write_part("similar", names[number], table)
            n_computed += 1
    return n_computed


def commit_similar(store: Store, config: SimilarConfig, index: DatasetRef) -> DatasetRef:
    """Publish the table; all of its blocks exist."""
    embeddings = store.manifest(index).parent("embeddings")
    parents = [index, embeddings, store.manifest(embeddings).parent("tracks")]
    settings, recipe = config.model_dump(mode="json"), _recipe(config, index)
    return store.commit("similar", _names(store, config, index), recipe=recipe, config=settings, parents=parents)


def neighbors_of(library: Generation, table: EmbeddingTable, k: int) -> pa.Table:
    """Rows of `similar` for some of a library's tracks, `k` for each or as many as there are."""
    index, group = library.index, library.alignment.group
    own = group[library.alignment.index_row[library.columns.ids.rows_of(table.track_ids)]]
    found: list[tuple[np.ndarray, ...]] = [(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))]
    open_, depth = np.arange(len(table)), 2 * k + 1
    while len(open_):
        depth = min(depth, len(index))
        scores, rows = index.search(table.embeddings[open_], depth)
        kept = _first_of_each(np.where(rows >= 0, group[rows], -1), own[open_], k)
        done = (kept.sum(axis=1) == k) | (depth == len(index))
        query, place = np.nonzero(kept & done[:, None])
        found.append((open_[query], scores[query, place], rows[query, place]))
        open_, depth = open_[~done], 4 * depth
    query, scores, rows = (np.concatenate(values) for values in zip(*found, strict=True))
    order = np.argsort(query, kind="stable")
    query = query[order]
    first = np.searchsorted(query, query)
    columns = [
        table.track_ids.take(pa.array(query)),
        pa.array(np.arange(1, len(query) + 1) - first, pa.int32()),
        index.ids.take(pa.array(rows[order])),
        pa.array(scores[order], pa.float32()),
    ]
    return pa.Table.from_arrays(columns, schema=SIMILAR)


def _first_of_each(groups: np.ndarray, own: np.ndarray, k: int) -> np.ndarray:
    """Which hits to keep, shape (n, depth), bool: the first of each group but `own` (n,) and -1, at most `k` per row.

    >>> _first_of_each(np.array([[7, 7, 3, 5, 3, 2, -1]]), np.array([5]), 2).astype(int)
    array([[1, 0, 1, 0, 0, 0, 0]])
    """
    order = np.argsort(groups, axis=1, kind="stable")
    ordered = np.take_along_axis(groups, order, 1)
    new = np.ones(groups.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.empty_like(new)
    np.put_along_axis(first, order, new, 1)
    first &= (groups >= 0) & (groups != own[:, None])
    return first & (np.cumsum(first, axis=1) <= k)


def _recipe(config: SimilarConfig, index: DatasetRef) -> str:
    return fingerprint([CODE, config.model_dump(mode="json"), str(index)])


def _names(store: Store, config: SimilarConfig, index: DatasetRef) -> list[str]:
    n = store.manifest(store.manifest(index).parent("embeddings")).rows
    return [f"{_recipe(config, index)}-{number:05d}" for number in range(-(-n // BLOCK))]
