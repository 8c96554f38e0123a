"""FAISS, imported on first use: reading a config or printing `--help` does not need it."""

from functools import cache
from typing import Any

MATRIX_FROM = 8 * 128  # numbers in the queries; 8 queries of 128 dimensions


@cache
def load_faiss() -> Any:
    """The module `faiss`, with one of its settings changed.

    Why: FAISS compares a batch of queries with all embeddings by matrix products only from 1,000 queries of 128
    dimensions on, and smaller batches one query at a time. Measured against 50,000 embeddings, matrix products are
    faster from 4 queries on: 3 times at 16 queries, 9 times at 256.
    """
    import faiss

    faiss.cvar.distance_compute_blas_threshold = MATRIX_FROM
    return faiss
