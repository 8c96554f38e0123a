"""Stage similar: the nearest tracks of every track, as a table for systems that read tables.

Conventions
-----------
- A track's neighbors are those that `Library.similar` gives by default: neither the track nor a copy of it, and of each
  other group of copies the nearest. A track with the same bytes as another has no rows of its own: its neighbors are
  those of the track it is a `duplicate_of`.
- A track has fewer than `k` neighbors only if the catalog has no more.
- Tracks are processed in blocks; a block that already exists is not computed again.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.config import fingerprint
from audioae.library.generation import Generation
from audioae.pipeline.index import read_embeddings
from audioae.search.embeddings import EmbeddingTable
from audioae.similarity.config import SimilarConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import SIMILAR

CODE = 1  # raise it when the same index would give other neighbors
BLOCK = 10_000  # tracks per part


def publish_similar(store: Store, config: SimilarConfig, index: DatasetRef) -> DatasetRef:
    """Publish `similar`: the `k` nearest tracks of every track of an index."""
    settings = config.model_dump(mode="json")
    recipe = fingerprint([CODE, settings, str(index)])
    if made := store.find("similar", recipe):
        return store.make_current(made)
    library = Generation(store, index)
    table = read_embeddings(store, library.embeddings_ref)
    names = []
    for number, block in enumerate(table.blocks(BLOCK)):
        names.append(f"{recipe}-{number:05d}")
        if not store.has_part("similar", names[-1]):
            store.write_part("similar", names[-1], neighbors_of(library, block, config.k))
    parents = [index, library.embeddings_ref, library.tracks_ref]
    return store.commit("similar", names, recipe=recipe, config=settings, parents=parents)


def neighbors_of(library: Generation, table: EmbeddingTable, k: int) -> pa.Table:
    """Rows of `similar` for some of a library's tracks, `k` for each or as many as there are."""
    index, group = library.index, library.alignment.group
    groups = group[pc.index_in(table.track_ids, value_set=index.ids).to_numpy(zero_copy_only=False)]
    found: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0, np.int64))] * len(table)
    open_, depth = np.arange(len(table)), 2 * k + 1
    while len(open_):
        depth = min(depth, len(index))
        scores, rows = index.search(table.embeddings[open_], depth)
        for i, row_scores, row_hits in zip(open_.tolist(), scores, rows, strict=True):
            kept = _one_of_each(group, row_hits, groups[i])[:k]
            found[i] = row_scores[kept], row_hits[kept]
        short = np.array([len(found[i][0]) < k for i in open_])
        open_, depth = (open_[short] if depth < len(index) else open_[:0]), 4 * depth
    counts = [len(scores) for scores, _ in found]
    neighbors = pa.array(np.concatenate([rows for _, rows in found]), pa.int64())
    columns = [
        table.track_ids.take(pa.array(np.repeat(np.arange(len(table)), counts))),
        pa.array(np.concatenate([np.arange(1, n + 1) for n in counts]), pa.int32()),
        index.ids.take(neighbors),
        pa.array(np.concatenate([scores for scores, _ in found]), pa.float32()),
    ]
    return pa.Table.from_arrays(columns, schema=SIMILAR)


def _one_of_each(group: np.ndarray, hits: np.ndarray, own: int) -> np.ndarray:
    """Positions in `hits`, ascending, of the first hit of each group except `own`."""
    present = np.flatnonzero(hits >= 0)
    groups = group[hits[present]]
    first = np.sort(np.unique(groups, return_index=True)[1])
    return present[first[groups[first] != own]]
