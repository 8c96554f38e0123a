"""The index that would be chosen for n embeddings, and what building and serving it takes.

Conventions
-----------
- Time is counted in operations: training compares every point of the sample with every list, `ROUNDS` times; filling
  compares every embedding with every list, and codes it. `Rates.gflops` and `Rates.pq_s` turn that into seconds.
- Recall and speed are not extrapolated: they are those of the nearest size at which `KNOWN` has a measurement.
"""

from typing import NamedTuple

from audioae.plan.known import KNOWN_SEARCHES, KnownSearch
from audioae.plan.rates import Rates
from audioae.search.factory import (
    FAMILIES,
    POINTS_PER_LIST,
    IndexConfig,
    choose_factory,
    fill_in,
    n_lists,
    without_lists,
)
from audioae.search.memory import memory_limit

DIM = 128
ROUNDS = 10  # of k-means over the sample: FAISS's default for the lists of an index
MERGED = 130  # bytes of memory per track while lists are merged: `python -m tests.bench.index_steps` at 1,000,000
NEIGHBORS_S = 1.5e-4  # core-seconds per track to find its neighborhood, once per index: the same command


class IndexEstimate(NamedTuple):
    """An index of n embeddings.

    Attributes
    ----------
    factory, reason : str
    bytes : float
        Of index.faiss.
    build_s : float
        Wall seconds on one machine.
    build_bytes, serve_bytes : float
        Memory beside the file to build it, and of the file for answers at full speed.
    nearest : KnownSearch or None
        The measurement at the nearest size; None for an exact index.
    """

    factory: str
    reason: str
    bytes: float
    build_s: float
    build_bytes: float
    serve_bytes: float
    nearest: KnownSearch | None


def estimate_index(n: int, config: IndexConfig, rates: Rates) -> IndexEstimate:
    """The index of `n` embeddings.

    Raises
    ------
    SearchError
        If no index of this recall fits `config.memory_bytes`.
    """
    if config.factory == "auto":
        limit, source = memory_limit(config.memory_bytes)
        is_free = config.memory_bytes is None
        choice = choose_factory(n, DIM, limit, config.recall_target, or_smallest=is_free)
        factory, per_vector = choice.factory, choice.bytes_per_vector
        reason = f"{choice.reason}; {'within' if per_vector * n <= limit else 'larger than'} {source}"
    else:
        factory, reason = fill_in(config.factory, n), "set in the config"
        per_vector = _bytes_of(factory, n)
    lists = n_lists(factory)
    sample = min(config.train_size or POINTS_PER_LIST * lists, n)
    flop = 2 * DIM * lists * (ROUNDS * sample + n)
    build_s = flop / (rates.gflops * 1e9) + (n * rates.pq_s if lists else 0.0) / rates.cores
    build_s += n * NEIGHBORS_S / rates.cores
    size = per_vector * n
    return IndexEstimate(
        factory,
        reason,
        size,
        build_s,
        4 * DIM * (sample if lists else n) + MERGED * n,
        size,
        min(KNOWN_SEARCHES, key=lambda known: abs(known.n - n), default=None) if lists else None,
    )


def _bytes_of(factory: str, n: int) -> float:
    """The size per embedding of a factory that the config names: that of its family, or of the largest one."""
    like = [family.at(n, DIM) for family in FAMILIES]
    same = [choice for choice in like if without_lists(choice.factory) == without_lists(factory)]
    return (same or [max(like, key=lambda choice: choice.bytes_per_vector)])[0].bytes_per_vector
