"""FAISS: make, train, fill, search and store an index by its factory string.

Conventions
-----------
- Embeddings and queries are unit vectors; a score is their cosine, higher = closer.
- A search that finds too few neighbors is repeated over the whole index, so row -1 only means that k is above n.
- A finished index is never changed: any number of threads may search it at once.

Why: every index but Flat uses the L2 metric, which orders unit vectors as the cosine does, and which quantizers are
fitted to. An HNSW graph is built on one thread, because several threads build a different graph each time. FAISS can
return embeddings from codes only after it has built a table of where each row is; `finish` builds that table once,
because FAISS would otherwise build it during the first search that needs it, in front of all other threads.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audioae.errors import SearchError
from audioae.search.factory import n_lists
from audioae.search.lazy_faiss import load_faiss
from audioae.search.recall import exact_neighbors
from audioae.search.tuning import Parameters

Searcher = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def empty_index(factory: str, dim: int) -> Any:
    """An untrained index. Raises `SearchError` if FAISS cannot make it for `dim` dimensions."""
    faiss = load_faiss()
    metric = faiss.METRIC_INNER_PRODUCT if factory == "Flat" else faiss.METRIC_L2
    try:
        return faiss.index_factory(dim, factory, metric)
    except RuntimeError as error:
        raise SearchError(f"index.factory={factory!r} cannot be made for {dim} dimensions: {error}") from None


def train(index: Any, embeddings: np.ndarray, factory: str) -> None:
    """Learn lists and codes. Raises `SearchError` if there are too few embeddings for them."""
    if n_lists(factory):
        load_faiss().extract_index_ivf(index).cp.min_points_per_centroid = 1  # or else it warns about small samples
    try:
        index.train(embeddings)
    except RuntimeError as error:
        raise SearchError(
            f"{factory} cannot be trained on {len(embeddings)} embeddings; set index.factory=auto ({error})"
        ) from None


def add(index: Any, embeddings: np.ndarray) -> None:
    """Append rows; the same rows make the same index."""
    faiss = load_faiss()
    n_threads = faiss.omp_get_max_threads()
    if isinstance(faiss.downcast_index(index), faiss.IndexHNSW):
        faiss.omp_set_num_threads(1)
    try:
        index.add(embeddings)
    finally:
        faiss.omp_set_num_threads(n_threads)


def finish(index: Any) -> None:
    """Prepare an index for `decoded_vectors`, once all rows are added or it was read.

    An index that has only the codes in its lists gets a table of the place of each row: 8 bytes a row, stored with it.
    """
    faiss = load_faiss()
    inner = faiss.downcast_index(index)
    if isinstance(inner, faiss.IndexPreTransform):
        inner = faiss.downcast_index(inner.index)
    if not isinstance(inner, faiss.IndexIVF):
        return
    if isinstance(inner, faiss.IndexIVFPQFastScan) and inner.fine_quantizer is None:
        inner.fine_quantizer = inner.pq  # `read_index` of FAISS 1.15 does not set it, and decoding then crashes
    if inner.direct_map.no():
        inner.make_direct_map(True)


def searcher(index: Any, parameters: Parameters, without: np.ndarray | None = None) -> Searcher:
    """Search `index` as it is now, an index with inverted lists also `without` some rows (int64).

    FAISS's parameter objects are made once: that takes a tenth of a short search.
    """
    selector = None if without is None else load_faiss().IDSelectorNot(load_faiss().IDSelectorBatch(without))
    prepared = search_parameters(index, parameters, selector)
    n = index.ntotal - (0 if without is None else len(without))

    def search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if prepared is None:
            return exact_neighbors(_stored_vectors(index), queries, k)
        present = min(k, n)
        distances, rows = index.search(queries, present, params=prepared)
        scores = 1 - distances / 2
        if (rows[:, -1] < 0).any():
            short = (rows < 0).any(axis=1)
            scores[short], rows[short] = _search_everything(index, queries[short], present, parameters, selector)
        if present < k:
            padding = ((0, 0), (0, k - present))
            return np.pad(scores, padding, constant_values=-np.inf), np.pad(rows, padding, constant_values=-1)
        return scores, rows

    return search


def kept_vectors(index: Any) -> np.ndarray | None:
    """The embeddings as they were added, shape (n, dim), float32, not copied; None if the index keeps only codes."""
    return None if flat_part(index) is None else _stored_vectors(index)


def decoded_vectors(index: Any, rows: np.ndarray) -> np.ndarray:
    """Embeddings of some rows of a finished index, (n, dim) float32, decoded from their codes."""
    return index.reconstruct_batch(np.ascontiguousarray(rows, np.int64))


def write(index: Any, path: Path) -> None:
    """Write an index to a file, without a copy in memory. Raises `SearchError` if it cannot be written."""
    try:
        load_faiss().write_index(index, str(path))
    except RuntimeError as error:
        raise SearchError(f"{path}: the index cannot be written ({error}); free space and run again") from None


def read(path: Path) -> Any:
    """Map the index in a file into memory: searches read from the file what they need, when they need it.

    FAISS copies 4-bit codes, because it needs them aligned: half a byte per dimension and embedding.

    Raises
    ------
    SearchError
        If the file is no FAISS index, or is truncated.
    """
    faiss = load_faiss()
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:
        raise SearchError(f"{path}: not a readable FAISS index ({error}); build the index again") from None
    finish(index)  # old versions of audioae stored indexes unfinished
    return index


def n_bytes(index: Any) -> int:
    """The size of the file that `write` would make, without making one."""
    total = 0

    def count(block: bytes) -> None:
        nonlocal total
        total += len(block)

    faiss = load_faiss()
    faiss.write_index(index, faiss.PyCallbackIOWriter(count))
    return total


def search_parameters(index: Any, parameters: Parameters, selector: Any = None) -> Any:
    """FAISS's parameter objects, nested like the index, with the rows to search among; None for Flat, without any."""
    faiss = load_faiss()
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
    faiss = load_faiss()
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexHNSW):
        index = faiss.downcast_index(index.storage)
    elif isinstance(index, faiss.IndexRefine):
        index = faiss.downcast_index(index.refine_index)
    return index if isinstance(index, faiss.IndexFlat) else None


def _search_everything(
    index: Any, queries: np.ndarray, k: int, parameters: Parameters, selector: Any
) -> tuple[np.ndarray, np.ndarray]:
    """For queries with too few neighbors: search all lists, or without the graph all embeddings. k <= n."""
    if "ef_search" in parameters:
        return exact_neighbors(_stored_vectors(index), queries, k)
    lists = load_faiss().extract_index_ivf(index).nlist
    everything = search_parameters(index, {**parameters, "nprobe": lists}, selector)
    distances, rows = index.search(queries, k, params=everything)
    return 1 - distances / 2, rows


def _stored_vectors(index: Any) -> np.ndarray:
    """The float32 embeddings that an index keeps, (n, dim), without copying."""
    flat = flat_part(index)
    return load_faiss().rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
