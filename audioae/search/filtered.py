"""Search among some rows only: filters inside the search, so that k neighbors come back wherever there are k.

Conventions
-----------
- Embeddings and queries are unit vectors; a score is their cosine, higher = closer.

Why: up to `EXACT_UP_TO` rows, each is compared with the query, by its embedding where the index keeps them and by its
codes where not: that takes a millisecond or two, and a filter may select what lies far from the query, where walking
lists or a graph from the query outward would not get. Above, twice as many more lists are read (nodes of a graph
kept) as rows are left out, so that at least as many candidates are seen as without a filter. Recall against the exact
answer at 1, 10 and 50 %: `python -m tests.bench similar`.
"""

import math
from typing import Any

import numpy as np

from audioae.search import engine
from audioae.search.tuning import Parameters

EXACT_UP_TO = 25_000
REFINED = 8  # times as many candidates are looked at again, where few are allowed: 4-bit codes misjudge what is far


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
        Where k is more than n_allowed, the rest is row -1, score -inf.
    """
    faiss = _faiss()
    mask = np.zeros(index.ntotal, bool)
    mask[allowed] = True
    n_allowed = int(mask.sum())
    selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
    present = min(k, n_allowed)
    scores, rows = np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
    if not present:
        return scores, rows
    flat = engine.flat_part(index)
    lists = faiss.try_extract_index_ivf(index)
    n_lists = lists.nlist if lists is not None else 1

    def walk(setting: Parameters) -> tuple[np.ndarray, np.ndarray]:
        distances, found = index.search(queries, present, params=engine.search_parameters(index, setting, selector))
        return 1 - distances / 2, found

    found = None
    if parameters and n_allowed > EXACT_UP_TO:
        found = walk(_widened(parameters, index.ntotal / n_allowed, n_lists))
    if found is None or (found[1] < 0).any():
        everything = {**parameters, "nprobe": n_lists, "k_factor": REFINED * parameters.get("k_factor", 1)}
        found = _compare_all(flat, queries, present, selector) if flat else walk(everything)
    scores[:, :present], rows[:, :present] = found
    return scores, rows


def _compare_all(flat: Any, queries: np.ndarray, k: int, selector: Any) -> tuple[np.ndarray, np.ndarray]:
    faiss = _faiss()
    found, rows = flat.search(queries, k, params=faiss.SearchParameters(sel=selector))
    return found if flat.metric_type == faiss.METRIC_INNER_PRODUCT else 1 - found / 2, rows


def _widened(parameters: Parameters, factor: float, n_lists: int) -> Parameters:
    """Twice as much more of the index as rows are left out: what is allowed may lie to one side of the query."""
    factors = {"k_factor": 2.0}
    wider = {name: math.ceil(value * factors.get(name, 2 * factor)) for name, value in parameters.items()}
    return {**wider, "nprobe": min(wider.get("nprobe", 1), n_lists)}


def _faiss() -> Any:
    import faiss

    return faiss
