"""Building an index: choose it, train it, fill it, tune its search parameters and measure its recall.

Why: recall is measured on held-out tracks while they are not yet in the index, and they are added afterwards. A query
that is a node of an HNSW graph is reached through its own links, so its recall would be too good.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.errors import SearchError
from audioae.search import engine
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import POINTS_PER_LIST, IndexConfig, choose_factory, fill_in, n_lists
from audioae.search.memory import memory_limit
from audioae.search.recall import exact_neighbors, merge_neighbors, recall_at_k
from audioae.search.tuning import Parameters, parameter_grid, tune

BLOCK = 1 << 18  # rows added at once: 128 MiB
MIN_TRAIN = 1 << 16
TRUTH_DEPTH = 4  # exact neighbors kept for each neighbor wanted, to recognize ties


def random_sample(table: EmbeddingTable, config: IndexConfig) -> EmbeddingTable:
    """Random tracks for `build_from_blocks`: held-out queries first, then the training sample.

    Raises
    ------
    SearchError
        If the table is empty.
    """
    if not len(table):
        raise SearchError("an index of no embeddings: the table is empty; embed some tracks first")
    size = min(sample_size(len(table), table.dim, config), len(table))
    return table.take(np.random.default_rng(config.seed).choice(len(table), size, replace=False))


def sample_size(n: int, dim: int, config: IndexConfig) -> int:
    """How many random tracks an index of `n` embeddings needs: held-out queries and the training sample."""
    factory, _ = choose(n, dim, config)
    return n_held(n, config) + (config.train_size or max(POINTS_PER_LIST * n_lists(factory), MIN_TRAIN))


def build_from_blocks(
    blocks: Iterable[EmbeddingTable], sample: EmbeddingTable, n: int, config: IndexConfig
) -> tuple[Any, pa.StringArray, dict[str, Any]]:
    """The FAISS index, its IDs and what `SearchIndex` states about it; arguments as for `SearchIndex.build_blocks`."""
    factory, reason = choose(n, sample.dim, config)
    settings = parameter_grid(factory, n, config.k, config.fixed())
    index = engine.empty_index(factory, sample.dim)
    held_out = n_held(n, config)
    if len(sample) <= held_out:
        raise SearchError(f"sample: got {len(sample)} tracks, wanted {held_out} for queries and more for training")
    queries = sample.embeddings[: held_out or config.n_queries]
    held = sample.take(np.arange(held_out))
    engine.train(index, sample.embeddings[held_out:], factory)

    depth = TRUTH_DEPTH * config.k
    truth = np.full((len(queries), depth), -np.inf, np.float32), np.full((len(queries), depth), -1, np.int64)
    ids = []
    for block in blocks:
        if block.model != sample.model:
            raise SearchError(f"embeddings of {block.model} and of {sample.model} cannot share an index; embed again")
        block = block.without(held.track_ids)
        scores, rows = exact_neighbors(block.embeddings, queries, depth)
        truth = merge_neighbors(truth, (scores, np.where(rows < 0, -1, rows + index.ntotal)))
        engine.add(index, block.embeddings)
        ids.append(block.track_ids)
    all_ids = pa.concat_arrays([*ids, held.track_ids])
    if len(all_ids) != n or len(all_ids.unique()) != n:
        raise SearchError(f"got {len(all_ids)} embeddings of {len(all_ids.unique())} tracks, wanted {n}, each once")

    parameters, measured = tune_and_measure(index, settings, queries, truth, config)
    engine.add(index, held.embeddings)
    about = {"factory": factory, "reason": reason, "parameters": parameters}
    return index, all_ids, {"model": sample.model, **about, "measured": {**measured, "held_out": len(held) > 0}}


def tune_and_measure(
    index: Any,
    settings: list[Parameters],
    queries: np.ndarray,
    truth: tuple[np.ndarray, np.ndarray],
    config: IndexConfig,
    *,
    without: np.ndarray | None = None,
    first: Parameters | None = None,
) -> tuple[Parameters, dict[str, Any]]:
    """Choose the search parameters by one half of the queries (if there is a choice), and measure them by the other.

    Parameters
    ----------
    index : faiss.Index
        Filled.
    settings : list of dict
        Of `parameter_grid`.
    queries : np.ndarray, shape (n_queries, dim)
    truth : (np.ndarray, np.ndarray), each of shape (n_queries, depth)
        Scores and rows of the true neighbors.
    config : IndexConfig
    without : np.ndarray of int64, optional
        Rows that the search leaves out, because the truth has none of them.
    first : dict, optional
        Parameters that sufficed before: cheaper ones are not tried.
    """
    settings = settings[settings.index(first) :] if first in settings else settings
    half = len(queries) // 2 if len(settings) > 1 else 0
    parameters = tune(
        settings,
        lambda setting: engine.searcher(index, setting, without)(queries[:half], config.k)[1],
        (truth[0][:half], truth[1][:half]),
        config.recall_target,
    )
    _, hits = engine.searcher(index, parameters, without)(queries[half:], config.k)
    recall, error = recall_at_k(hits, (truth[0][half:], truth[1][half:]))
    return parameters, {"k": config.k, "recall": recall, "recall_se": error, "n_queries": len(hits), "held_out": True}


def choose(n: int, dim: int, config: IndexConfig) -> tuple[str, str]:
    """The factory string of an index of `n` embeddings, and why."""
    if config.factory != "auto":
        return fill_in(config.factory, n), "set in the config"
    limit, source = memory_limit(config.memory_bytes)
    choice = choose_factory(n, dim, limit, config.recall_target, or_smallest=config.memory_bytes is None)
    if choice.factory == "Flat":
        return choice.factory, choice.reason
    relation = "larger than" if choice.bytes_per_vector * n > limit else "within"
    return choice.factory, f"{choice.reason}; {relation} {source}"


def n_held(n: int, config: IndexConfig) -> int:
    """How many tracks are held out as queries; none if there are fewer than four."""
    return min(config.n_queries, n // 4)
