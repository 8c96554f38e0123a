"""The index that would be chosen for n embeddings, and what building and serving it takes.

Conventions
-----------
- Time is counted in operations: training compares every point of the sample with every list, `ROUNDS` times; filling
  compares every embedding with every list, and codes it. `Rates.gflops` and `Rates.pq_s` turn that into seconds.
- Recall and speed are not extrapolated: they are those of the nearest size at which `KNOWN` has a measurement.
"""

from typing import NamedTuple

from audioae.errors import SearchError
from audioae.plan.known import KNOWN_SEARCHES, KnownSearch
from audioae.plan.rates import Rates
from audioae.search.factory import POINTS_PER_LIST, IndexConfig, choose_factory, fill_in, n_lists

DIM = 128
ROUNDS = 10  # of k-means over the sample: FAISS's default for the lists of an index
ID_BYTES = 24  # of a track_id in ids.parquet and in memory, with its offset


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
        The measurement at the nearest size.
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
        factory, per_vector, reason = choose_factory(n, DIM, config.memory_bytes, config.recall_target)
    else:
        factory, reason = fill_in(config.factory, n), "set in the config"
        per_vector = _bytes_of(n, factory)
    lists = n_lists(factory)
    sample = min(config.train_size or POINTS_PER_LIST * lists, n)
    flop = 2 * DIM * lists * (ROUNDS * sample + n)
    build_s = flop / (rates.gflops * 1e9) + (n * rates.pq_s / rates.cores if lists else 0)
    size = per_vector * n
    return IndexEstimate(
        factory,
        reason,
        size,
        build_s,
        4 * DIM * (sample if lists else n) + ID_BYTES * n,
        size,
        min(KNOWN_SEARCHES, key=lambda known: abs(known.n - n), default=None),
    )


def _bytes_of(n: int, factory: str) -> float:
    """The size per embedding of a factory that the config names: that of the family it is like."""
    for limit in (None, 200 * n, 160 * n, 130 * n):
        try:
            choice = choose_factory(n, DIM, limit, 0.5)
        except SearchError:
            continue
        if choice.factory.partition(",")[2] == factory.partition(",")[2]:
            return choice.bytes_per_vector
    return 4 * DIM + DIM / 2
