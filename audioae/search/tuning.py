"""Search parameters: the cheapest setting that finds enough of the exact neighbors of held-out queries.

Conventions
-----------
- A search reads `nprobe` inverted lists, or keeps `ef_search` nodes while it walks an HNSW graph. An index with a
  `Refine` compares `k_factor` times k candidates again by its better codes. The factory string determines which of the
  three parameters exist.

Why: cost is counted in code comparisons, not measured, so that the same embeddings always get the same parameters.
At 1M embeddings, comparing a candidate again costs about as much as scanning 20 four-bit codes.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import product

import numpy as np

from audioae.errors import SearchError
from audioae.search.factory import n_lists
from audioae.search.recall import recall_at_k

TRIED = {"nprobe": (1, 4096, 1.15), "ef_search": (10, 1024, 1.25), "k_factor": (1, 64, 1.5)}  # first, last, growth
REFINE_COST = 20

Parameters = dict[str, int]


def parameter_grid(factory: str, n: int, k: int, fixed: Mapping[str, int]) -> list[Parameters]:
    """Every setting of the parameters that `factory` has, cheapest first; the values in `fixed` are kept.

    >>> parameter_grid("Flat", 1000, 10, {})
    [{}]
    """
    lists = n_lists(factory)
    names = [
        name
        for name, present in (
            ("nprobe", lists > 0),
            ("ef_search", factory.startswith("HNSW")),
            ("k_factor", "Refine" in factory or "RFlat" in factory),
        )
        if present
    ]
    if foreign := sorted(set(fixed) - set(names)):
        raise SearchError(
            f"index.{foreign[0]}={fixed[foreign[0]]}: {factory} has no such parameter; it has {names or 'none'}"
        )
    choices = {name: [fixed[name]] if name in fixed else _steps(*TRIED[name]) for name in names}
    if "nprobe" in names and "nprobe" not in fixed:
        choices["nprobe"] = [*(step for step in choices["nprobe"] if step < lists), lists]

    def cost(setting: Parameters) -> float:
        scanned = setting.get("nprobe", 0) * n / max(lists, 1)
        return scanned + setting.get("ef_search", 0) + REFINE_COST * k * setting.get("k_factor", 0)

    return sorted((dict(zip(names, values, strict=True)) for values in product(*choices.values())), key=cost)


def tune(
    settings: Iterable[Parameters],
    search: Callable[[Parameters], np.ndarray],
    truth: tuple[np.ndarray, np.ndarray],
    target: float,
) -> Parameters:
    """The first setting whose recall minus two standard errors reaches `target`, or else the one with the best recall.

    Parameters
    ----------
    settings : iterable of dict
        Cheapest first.
    search : callable
        Searches with a setting and returns rows, shape (n_queries, k).
    truth : (np.ndarray, np.ndarray), each of shape (n_queries, depth)
        Scores and rows of the exact neighbors.
    target : float
    """
    best: tuple[float, Parameters] = (-1.0, {})
    for setting in settings:
        recall, error = recall_at_k(search(setting), truth)
        if recall - 2 * error >= target:
            return setting
        if recall > best[0]:
            best = (recall, setting)
    return best[1]


def _steps(first: int, last: int, growth: float) -> list[int]:
    count = int(math.log(last / first, growth)) + 1
    return sorted({round(first * growth**i) for i in range(count)})
