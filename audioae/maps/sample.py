"""The tracks that the layout is fitted to: those with the smallest hashes of their IDs.

Conventions
-----------
- A catalog that grows keeps most of its sample: a track leaves only when new tracks have smaller hashes. So the last
  map says where the tracks of the next one start.
- One part's IDs are in memory at a time.
"""

import numpy as np
import pyarrow as pa

from audioae.pipeline.training_clips import hash_ids
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


def sample_rows(store: Store, embeddings: DatasetRef, n: int) -> np.ndarray:
    """Positions of at most `n` tracks in a version of the embeddings, ascending, int64."""
    hashes, rows, start = np.empty(0, np.uint64), np.empty(0, np.int64), 0
    for table in store.read_parts("embeddings", store.manifest(embeddings).parts, ["track_id"]):
        ids = table["track_id"].combine_chunks()
        ids = pa.concat_arrays(ids.chunks) if isinstance(ids, pa.ChunkedArray) else ids
        hashes = np.concatenate([hashes, hash_ids(ids)])
        rows = np.concatenate([rows, np.arange(start, start + len(ids))])
        start += len(ids)
        if len(rows) > n:
            kept = np.lexsort((rows, hashes))[:n]
            hashes, rows = hashes[kept], rows[kept]
    return np.sort(rows)
