"""FAISS: make, train, fill, search and store an index by its factory string. The only door to faiss.

Conventions
-----------
- Embeddings and queries are unit vectors; a score is their cosine, higher = closer.
- Where a search finds fewer than there are, it is done again over everything: row -1 means that k is more than n.

Why: everything but Flat uses the L2 metric, which orders unit vectors as the cosine does and is what quantizers are
fitted to. An HNSW graph is built on one thread: several make another graph every time. FAISS is imported when it is
first used, as whoever only reads a config does not need it. It scans 4-bit codes with a kernel made for large batches;
for up to 64 queries another is faster. The two may keep different ones of candidates that look equally close, at the
same recall.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from audioae.errors import SearchError
from audioae.search.factory import n_lists
from audioae.search.recall import exact_neighbors
from audioae.search.tuning import Parameters

FEW = 64
FEW_KERNEL = 11  # FAISS's number of the kernel that takes one query after the other and keeps candidates in a reservoir
Searcher = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def empty_index(factory: str, dim: int) -> Any:
    """An untrained index. Raises `SearchError` if FAISS cannot make it for `dim` dimensions."""
    faiss = _faiss()
    metric = faiss.METRIC_INNER_PRODUCT if factory == "Flat" else faiss.METRIC_L2
    try:
        return faiss.index_factory(dim, factory, metric)
    except RuntimeError as error:
        raise SearchError(f"index.factory={factory!r} cannot be made for {dim} dimensions: {error}") from None


def train(index: Any, embeddings: np.ndarray, factory: str) -> None:
    """Learn lists and codes. Raises `SearchError` if there are too few embeddings for them."""
    if n_lists(factory):
        _faiss().extract_index_ivf(index).cp.min_points_per_centroid = 1  # else it warns on stderr about small samples
    try:
        index.train(embeddings)
    except RuntimeError as error:
        raise SearchError(
            f"{factory} cannot be trained on {len(embeddings)} embeddings; set index.factory=auto ({error})"
        ) from None


def add(index: Any, embeddings: np.ndarray) -> None:
    """Append rows; the same rows make the same index."""
    faiss = _faiss()
    n_threads = faiss.omp_get_max_threads()
    if isinstance(faiss.downcast_index(index), faiss.IndexHNSW):
        faiss.omp_set_num_threads(1)
    try:
        index.add(embeddings)
    finally:
        faiss.omp_set_num_threads(n_threads)


def searcher(index: Any, parameters: Parameters) -> Searcher:
    """Search `index` as it is now, prepared once: making FAISS's parameter objects takes a tenth of a short search."""
    prepared = search_parameters(index, parameters)
    scanner, n = _four_bit_scanner(index), index.ntotal

    def search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if prepared is None:
            return exact_neighbors(_stored_vectors(index), queries, k)
        present = min(k, n)
        if scanner is not None and len(queries) <= FEW:
            scanner.implem = FEW_KERNEL
            distances, rows = index.search(queries, present, params=prepared)
            scanner.implem = 0
        else:
            distances, rows = index.search(queries, present, params=prepared)
        scores = 1 - distances / 2
        if (rows[:, -1] < 0).any():
            short = (rows < 0).any(axis=1)
            scores[short], rows[short] = _search_everything(index, queries[short], present, parameters)
        if present < k:
            padding = ((0, 0), (0, k - present))
            return np.pad(scores, padding, constant_values=-np.inf), np.pad(rows, padding, constant_values=-1)
        return scores, rows

    return search


def vectors(index: Any, rows: np.ndarray) -> np.ndarray:
    """The embeddings of some rows, (n, dim) float32: as they were added where it keeps them, else as its codes say."""
    flat = flat_part(index)
    if flat is not None:
        return _stored_vectors(flat)[rows]
    lists = _faiss().try_extract_index_ivf(index)
    if lists.direct_map.no():
        lists.make_direct_map(True)
    return index.reconstruct_batch(np.ascontiguousarray(rows, np.int64))


def to_bytes(index: Any) -> bytes:
    """The index as FAISS stores it."""
    lists = _faiss().try_extract_index_ivf(index)
    if lists is not None:
        lists.make_direct_map(False)  # that of `vectors`, which is not stored
    return _faiss().serialize_index(index).tobytes()


def from_bytes(content: bytes) -> Any:
    """The index that `to_bytes` gave."""
    return _faiss().deserialize_index(np.frombuffer(content, np.uint8))


def _search_everything(
    index: Any, queries: np.ndarray, k: int, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray]:
    """For queries of which a search found too few: all lists, or past the graph all embeddings. k <= n."""
    if "ef_search" in parameters:
        return exact_neighbors(_stored_vectors(index), queries, k)
    lists = _faiss().extract_index_ivf(index).nlist
    distances, rows = index.search(queries, k, params=search_parameters(index, {**parameters, "nprobe": lists}))
    return 1 - distances / 2, rows


def search_parameters(index: Any, parameters: Parameters, selector: Any = None) -> Any:
    """FAISS's parameter objects, nested as the index is, with the rows to look at; None for Flat, which has none."""
    faiss = _faiss()
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexFlat):
        return None
    if isinstance(index, faiss.IndexPreTransform):
        return faiss.SearchParametersPreTransform(index_params=search_parameters(index.index, parameters, selector))
    if isinstance(index, faiss.IndexRefine):
        inner = search_parameters(index.base_index, parameters, selector)
        return faiss.IndexRefineSearchParameters(k_factor=parameters["k_factor"], base_index_params=inner)
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(efSearch=parameters["ef_search"], sel=selector)
    return faiss.SearchParametersIVF(nprobe=parameters["nprobe"], sel=selector)


def flat_part(index: Any) -> Any:
    """The part of an index that keeps the embeddings themselves, an IndexFlat; None if none does."""
    faiss = _faiss()
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexHNSW):
        index = faiss.downcast_index(index.storage)
    elif isinstance(index, faiss.IndexRefine):
        index = faiss.downcast_index(index.refine_index)
    return index if isinstance(index, faiss.IndexFlat) else None


def _four_bit_scanner(index: Any) -> Any:
    """The part of an index that scans 4-bit codes by SIMD; None if it has none."""
    faiss = _faiss()
    lists = faiss.try_extract_index_ivf(index)
    lists = lists and faiss.downcast_index(lists)
    return lists if isinstance(lists, faiss.IndexIVFFastScan) else None


def _stored_vectors(index: Any) -> np.ndarray:
    """The float32 embeddings that an index keeps, (n, dim), without copying."""
    flat = flat_part(index)
    return _faiss().rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)


def _faiss() -> Any:
    import faiss

    return faiss
