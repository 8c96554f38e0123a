"""Search among some rows only. The filter works inside the search, so k neighbors come back wherever there are k.

Conventions
-----------
- Embeddings and queries are unit vectors; a score is their cosine, higher = closer.

Why: up to `EXACT_UP_TO` allowed rows, each is compared with the query, by its embedding if the index keeps embeddings,
or else by its code. That takes a few milliseconds, and a filter may select tracks far from the query, which a walk
through lists or a graph, starting at the query, would not reach. The embeddings are read by their rows, because FAISS
asks its selector about every row of the index: half as long again among 1,000,000 rows with 10,000 allowed. Above that
number, the search reads more lists (or keeps more nodes of the graph): with a tenth of the rows allowed, 2 * 10 times
as many. It then sees at least as many candidates as without a filter. `python -m tests.bench similar` measures the
recall with 1, 10 and 50 % of all rows.
"""

import math
from typing import Any

import numpy as np

from audioae.search import engine
from audioae.search.lazy_faiss import load_faiss
from audioae.search.recall import exact_neighbors
from audioae.search.tuning import Parameters

EXACT_UP_TO = 25_000
REFINED = 8  # times as many candidates are compared again if few rows are allowed: 4-bit codes misjudge distant rows


def search_among(
    index: Any, parameters: Parameters, queries: np.ndarray, k: int, allowed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and rows of the `k` nearest among the `allowed` rows, closest first.

    Parameters
    ----------
    index : faiss.Index
    parameters : dict of str to int
        Those in use without a filter; none for Flat.
    queries : np.ndarray, shape (n_queries, dim), float32, L2-normalized
    k : int
    allowed : np.ndarray, shape (n_allowed,), int64

    Returns
    -------
    scores, rows : np.ndarray, each of shape (n_queries, k)
        Where k is above n_allowed, the remaining rows are -1 and the remaining scores -inf.
    """
    mask = np.zeros(index.ntotal, bool)
    mask[allowed] = True
    n_allowed = int(mask.sum())
    present = min(k, n_allowed)
    scores, rows = np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
    if present:
        find = _find_few if n_allowed <= EXACT_UP_TO else _find_many
        scores[:, :present], rows[:, :present] = find(index, parameters, queries, present, mask)
    return scores, rows


def _find_few(
    index: Any, parameters: Parameters, queries: np.ndarray, k: int, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare each allowed row with the queries."""
    kept = engine.kept_vectors(index)
    if kept is None:
        return _walk(index, _everything(index, parameters), queries, k, _selector(mask))
    allowed = np.flatnonzero(mask)
    scores, places = exact_neighbors(kept[allowed], queries, k)
    return scores, allowed[places]


def _find_many(
    index: Any, parameters: Parameters, queries: np.ndarray, k: int, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Walk through the index; compare everything if it has no lists and no graph, or too few rows were reached."""
    selector, flat = _selector(mask), engine.flat_part(index)
    if parameters:
        wider = _widened(parameters, len(mask) / mask.sum(), _n_lists(index))
        scores, rows = _walk(index, wider, queries, k, selector)
        if (rows >= 0).all():
            return scores, rows
    if flat is None:
        return _walk(index, _everything(index, parameters), queries, k, selector)
    faiss = load_faiss()
    values, rows = flat.search(queries, k, params=faiss.SearchParameters(sel=selector))
    return (values if flat.metric_type == faiss.METRIC_INNER_PRODUCT else 1 - values / 2), rows


def _walk(
    index: Any, parameters: Parameters, queries: np.ndarray, k: int, selector: Any
) -> tuple[np.ndarray, np.ndarray]:
    distances, rows = index.search(queries, k, params=engine.search_parameters(index, parameters, selector))
    return 1 - distances / 2, rows


def _selector(mask: np.ndarray) -> Any:
    return load_faiss().IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def _n_lists(index: Any) -> int:
    lists = load_faiss().try_extract_index_ivf(index)
    return 1 if lists is None else lists.nlist


def _everything(index: Any, parameters: Parameters) -> Parameters:
    """All lists, and more candidates to compare again."""
    return {**parameters, "nprobe": _n_lists(index), "k_factor": REFINED * parameters.get("k_factor", 1)}


def _widened(parameters: Parameters, factor: float, n_lists: int) -> Parameters:
    """Search `2 * factor` times as much of the index: the allowed rows may all be on one side of the query."""
    factors = {"k_factor": 2.0}
    wider = {name: math.ceil(value * factors.get(name, 2 * factor)) for name, value in parameters.items()}
    return {**wider, "nprobe": min(wider.get("nprobe", 1), n_lists)}
