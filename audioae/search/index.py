"""The index: a FAISS index and the IDs of its rows, built, searched and stored as one thing.

Conventions
-----------
- A score is a cosine, higher = closer: exact for Flat, HNSW32 and `RFlat`, of quantized embeddings (99 of 100 off
  by less than .01) for `SQ8`, `PQ` and `RaBitQ`. A row is a position in `ids`, not one in the table built from.
- The artifact is two files: `index.faiss`, and `ids.parquet`, whose metadata hold the model, the search parameters, the
  measured recall and the SHA-256 of `index.faiss`, so that IDs and vectors of different builds cannot be combined.
- The same embeddings and config give the same bytes on the same machine with the same number of threads.

Why: recall is measured on held-out tracks while they are not yet in the index, and they are added afterwards: a query
that stands in an HNSW graph is found through its own links, which flatters it.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import SearchError
from audioae.search import engine
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import POINTS_PER_LIST, IndexConfig, choose_factory, fill_in, n_lists
from audioae.search.filtered import search_among
from audioae.search.recall import exact_neighbors, merge_neighbors, recall_at_k
from audioae.search.tuning import Parameters, parameter_grid, tune

BLOCK = 1 << 18  # rows that are added at once: 128 MiB
MIN_TRAIN = 1 << 16
TRUTH_DEPTH = 4  # exact neighbors kept per neighbor wanted, to judge ties


class SearchIndex:
    """Nearest neighbors among the embeddings of one model.

    Attributes
    ----------
    ids : pa.StringArray
        ID of each row.
    model, factory, reason : str
        Whose embeddings these are; what the index is, and why.
    parameters : dict of str to int
        Search parameters in use.
    dim : int
        Of the embeddings.
    measured : dict
        Recall on held-out queries: `recall`, `recall_se`, `n_queries`, `held_out` (False if there were too few tracks
        to hold any out, so that tracks of the index were asked).
    """

    FILES = ("index.faiss", "ids.parquet")

    def __init__(self, index: Any, ids: pa.StringArray, about: Mapping[str, Any]):
        self._index = index
        self.ids = ids
        self._about = dict(about)
        self.model: str = about["model"]
        self.factory: str = about["factory"]
        self.reason: str = about["reason"]
        self.parameters: Parameters = about["parameters"]
        self.measured: dict[str, Any] = about["measured"]
        self.dim: int = index.d
        self._find = engine.searcher(index, self.parameters)

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def build(cls, table: EmbeddingTable, config: IndexConfig) -> "SearchIndex":
        """Build an index over all of `table`. Raises `SearchError` if that is empty, or too small for the factory."""
        if not len(table):
            raise SearchError("an index of no embeddings: the table is empty; embed some tracks first")
        factory, _ = _choose(len(table), table.dim, config)
        n_train = config.train_size or max(POINTS_PER_LIST * n_lists(factory), MIN_TRAIN)
        size = min(_n_held(len(table), config) + n_train, len(table))
        rows = np.random.default_rng(config.seed).choice(len(table), size, replace=False)
        return cls.build_blocks(table.blocks(BLOCK), table.take(rows), len(table), config)

    @classmethod
    def build_blocks(
        cls, blocks: Iterable[EmbeddingTable], sample: EmbeddingTable, n: int, config: IndexConfig
    ) -> "SearchIndex":
        """Build from embeddings that need not all stand in memory at once.

        Parameters
        ----------
        blocks : iterable of EmbeddingTable
            Every track once, in any order.
        sample : EmbeddingTable
            Random tracks out of `blocks`: the first become the held-out queries, the others train the index.
        n : int
            Number of tracks in all blocks.
        config : IndexConfig
        """
        factory, reason = _choose(n, sample.dim, config)
        settings = parameter_grid(factory, n, config.k, config.fixed())
        index = engine.empty_index(factory, sample.dim)
        n_held = _n_held(n, config)
        if len(sample) <= n_held:
            raise SearchError(f"sample: got {len(sample)} tracks, wanted {n_held} to ask for and more to train on")
        queries = sample.embeddings[: n_held or config.n_queries]
        held = sample.take(np.arange(n_held))
        engine.train(index, sample.embeddings[n_held:], factory)

        depth = TRUTH_DEPTH * config.k
        truth = np.full((len(queries), depth), -np.inf, np.float32), np.full((len(queries), depth), -1, np.int64)
        ids = []
        for block in blocks:
            if block.model != sample.model:
                raise SearchError(
                    f"embeddings of {block.model} and of {sample.model} cannot share an index; embed again"
                )
            block = block.without(held.track_ids)
            scores, rows = exact_neighbors(block.embeddings, queries, depth)
            truth = merge_neighbors(truth, (scores, np.where(rows < 0, -1, rows + index.ntotal)))
            engine.add(index, block.embeddings)
            ids.append(block.track_ids)
        all_ids = pa.concat_arrays([*ids, held.track_ids])
        if len(all_ids) != n or len(all_ids.unique()) != n:
            raise SearchError(f"got {len(all_ids)} embeddings of {len(all_ids.unique())} tracks, wanted {n}, each once")

        half = len(queries) // 2 if len(settings) > 1 else 0
        parameters = tune(
            settings,
            lambda setting: engine.searcher(index, setting)(queries[:half], config.k)[1],
            (truth[0][:half], truth[1][:half]),
            config.recall_target,
        )
        found = engine.searcher(index, parameters)(queries[half:], config.k)[1]
        recall, error = recall_at_k(found, (truth[0][half:], truth[1][half:]))
        engine.add(index, held.embeddings)
        measured = {
            "k": config.k,
            "recall": recall,
            "recall_se": error,
            "n_queries": len(found),
            "held_out": n_held > 0,
        }
        about = {"factory": factory, "reason": reason, "parameters": parameters, "measured": measured}
        return cls(index, all_ids, {"model": sample.model, **about})

    def search(self, queries: np.ndarray, k: int, among: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Find the `k` nearest embeddings of each query, closest first.

        Parameters
        ----------
        queries : np.ndarray, shape (n_queries, dim), float
            Of any length, which makes no difference: they are normalized first. FAISS answers one query on one thread,
            several on all there are.
        k : int
        among : np.ndarray, shape (n_allowed,), int64, optional
            The only rows to be found; the others are passed over inside the search, so that k come back if there are k.

        Returns
        -------
        scores : np.ndarray, shape (n_queries, k), float32
            Cosines.
        rows : np.ndarray, shape (n_queries, k), int64
            Positions in `ids`. Where k is more than there are, the rest is -1, with score -inf.

        Raises
        ------
        SearchError
            If queries have another dimension, are not finite or are zero, or k < 1.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise SearchError(f"queries: got shape {queries.shape}, wanted (n_queries, {self.dim})")
        if k < 1:
            raise SearchError(f"k={k}: wanted at least 1 neighbor")
        norms = np.sqrt(np.einsum("ij,ij->i", queries, queries))[:, None]
        bad = ~((norms > 0) & (norms < np.inf))
        if bad.any():
            raise SearchError(
                f"queries {np.flatnonzero(bad)[:5].tolist()} are zero or not finite: no direction to search in"
            )
        if among is not None:
            return search_among(self._index, self.parameters, queries / norms, k, among)
        return self._find(queries / norms, k)

    @property
    def keeps_embeddings(self) -> bool:
        """Whether it holds the embeddings themselves, or only codes of them."""
        return engine.flat_part(self._index) is not None

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Embeddings of `rows`, shape (n, dim), float32; what the codes keep of them, if the index holds only codes."""
        return engine.vectors(self._index, rows)

    def check_model(self, model: str) -> None:
        """Raise `SearchError` unless this index holds embeddings of `model`."""
        if model != self.model:
            raise SearchError(f"this index is of {self.model}, the embeddings are of {model}; build the index again")

    def n_bytes(self) -> int:
        """Size of the stored FAISS index."""
        return len(engine.to_bytes(self._index))

    def to_files(self) -> dict[str, bytes]:
        """The artifact: content of each of `FILES`."""
        vectors = engine.to_bytes(self._index)
        about = {**self._about, "sha256": hashlib.sha256(vectors).hexdigest()}
        table = pa.table({"track_id": self.ids}, metadata={"audioae": json.dumps(about, sort_keys=True)})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        return {"index.faiss": vectors, "ids.parquet": buffer.getvalue()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "SearchIndex":
        """Load what `to_files` gave. Raises `SearchError` if the two files do not belong together or are damaged."""
        try:
            table = pq.read_table(io.BytesIO(files["ids.parquet"]))
            about = json.loads((table.schema.metadata or {})[b"audioae"])
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise SearchError(f"ids.parquet is not the IDs of an index ({error}); build the index again") from None
        digest = hashlib.sha256(files["index.faiss"]).hexdigest()
        if digest != about["sha256"]:
            raise SearchError(
                f"index.faiss (sha256 {digest[:12]}) is not the one that ids.parquet was written with "
                f"({about['sha256'][:12]}): its rows would get wrong IDs; build the index again"
            )
        index = engine.from_bytes(files["index.faiss"])
        return cls(index, table["track_id"].combine_chunks(), about)


def _choose(n: int, dim: int, config: IndexConfig) -> tuple[str, str]:
    if config.factory != "auto":
        return fill_in(config.factory, n), "set in the config"
    choice = choose_factory(n, dim, config.memory_bytes, config.recall_target)
    return choice.factory, choice.reason


def _n_held(n: int, config: IndexConfig) -> int:
    """How many tracks are kept out as queries; none of fewer than four."""
    return min(config.n_queries, n // 4)
