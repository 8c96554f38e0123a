"""Search among some rows only. The filter works inside the search, so k neighbors come back wherever there are k.

Conventions
-----------
- Embeddings and queries are unit vectors; a score is their cosine, higher = closer.

Why: up to `EXACT_UP_TO` allowed rows, each is compared with the query, by its embedding if the index keeps embeddings,
or else by its code. That takes a millisecond or two, and a filter may select tracks far from the query, which a walk
through lists or a graph, starting at the query, would not reach. Above that number, the search reads more lists (or
keeps more nodes of the graph): with a tenth of the rows allowed, 2 * 10 times as many. It then sees at least as many
candidates as without a filter. `python -m tests.bench similar` measures the recall with 1, 10 and 50 % of all rows.
"""

import math
from typing import Any

import numpy as np

from audioae.search import engine
from audioae.search.lazy_faiss import load_faiss
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
    faiss = load_faiss()
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
        distances, hits = index.search(queries, present, params=engine.search_parameters(index, setting, selector))
        return 1 - distances / 2, hits

    answer = None
    if parameters and n_allowed > EXACT_UP_TO:
        answer = walk(_widened(parameters, index.ntotal / n_allowed, n_lists))
    if answer is None or (answer[1] < 0).any():
        everything = {**parameters, "nprobe": n_lists, "k_factor": REFINED * parameters.get("k_factor", 1)}
        answer = _compare_all(flat, queries, present, selector) if flat else walk(everything)
    scores[:, :present], rows[:, :present] = answer
    return scores, rows


def _compare_all(flat: Any, queries: np.ndarray, k: int, selector: Any) -> tuple[np.ndarray, np.ndarray]:
    faiss = load_faiss()
    values, rows = flat.search(queries, k, params=faiss.SearchParameters(sel=selector))
    return values if flat.metric_type == faiss.METRIC_INNER_PRODUCT else 1 - values / 2, rows


def _widened(parameters: Parameters, factor: float, n_lists: int) -> Parameters:
    """Search `2 * factor` times as much of the index: the allowed rows may all be on one side of the query."""
    factors = {"k_factor": 2.0}
    wider = {name: math.ceil(value * factors.get(name, 2 * factor)) for name, value in parameters.items()}
    return {**wider, "nprobe": min(wider.get("nprobe", 1), n_lists)}
