"""The index: a FAISS index and the IDs of its rows, built, searched and stored together.

Conventions
-----------
- A score is a cosine, higher = closer: exact for Flat, HNSW32 and `RFlat`, to the rounding of float32. `SQ8` and
  `RaBitQ` give that of the quantized embedding, and 99 of 100 scores are off by less than 0.01; `PQ` codes without a
  `Refine` are off by up to 0.3. A row is a position in `ids`, not one in the table that the index was built from.
- The artifact is two files: `index.faiss` and `ids.parquet`. The metadata of `ids.parquet` holds the model, the search
  parameters, the measured recall and the SHA-256 of `index.faiss`: IDs and vectors of two builds cannot be combined.
- A loaded index is mapped: its embeddings stay in the file, and the operating system keeps in memory what searches use.
  Its IDs are read when they are first asked for: the answers of a library name its tracks without them.
- Any number of threads may use one index at the same time.
- The same embeddings and config give the same bytes on the same machine with the same number of threads.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import SearchError
from audioae.search import engine
from audioae.search.build import BLOCK, build_from_blocks, random_sample
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import IndexConfig
from audioae.search.filtered import search_among
from audioae.search.tuning import Parameters


class SearchIndex:
    """Nearest neighbors among the embeddings of one model.

    Attributes
    ----------
    model, factory, reason : str
        Whose embeddings these are; what the index is, and why.
    parameters : dict of str to int
        Search parameters in use.
    dim : int
        Of the embeddings.
    measured : dict
        Recall on held-out queries: `recall`, `recall_se`, `n_queries`, `held_out` (False if there were too few tracks
        to hold any out; then the queries are tracks of the index).
    """

    FILES = ("index.faiss", "ids.parquet")

    def __init__(
        self, index: Any, ids: pa.StringArray | pa.NativeFile, about: Mapping[str, Any], n_bytes: int | None = None
    ):
        engine.finish(index)
        self._index = index
        self._n_bytes = n_bytes
        self._ids = ids
        self._about = dict(about)
        self.model: str = about["model"]
        self.factory: str = about["factory"]
        self.reason: str = about["reason"]
        self.parameters: Parameters = about["parameters"]
        self.measured: dict[str, Any] = about["measured"]
        self.dim: int = index.d
        self._kept = engine.kept_vectors(index)
        self._find = engine.searcher(index, self.parameters)

    def __len__(self) -> int:
        return self._index.ntotal

    @cached_property
    def ids(self) -> pa.StringArray:
        """ID of each row."""
        return self.read_ids()

    def read_ids(self) -> pa.StringArray:
        """ID of each row, for a caller who needs them once: they are not kept."""
        if not isinstance(self._ids, pa.NativeFile):
            return self._ids
        column = pq.read_table(self._ids)["track_id"]
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()

    @classmethod
    def build(cls, table: EmbeddingTable, config: IndexConfig) -> "SearchIndex":
        """Build an index over all of `table`. Raises `SearchError` if that is empty, or too small for the factory."""
        sample = random_sample(table, config)
        return cls.build_blocks(table.blocks(BLOCK), sample, len(table), config)

    @classmethod
    def build_blocks(
        cls, blocks: Iterable[EmbeddingTable], sample: EmbeddingTable, n: int, config: IndexConfig
    ) -> "SearchIndex":
        """Build from embeddings that need not fit in memory.

        Parameters
        ----------
        blocks : iterable of EmbeddingTable
            Every track once, in any order.
        sample : EmbeddingTable
            Random tracks from `blocks`: the first become the held-out queries, the others train the index.
        n : int
            Number of tracks in all blocks.
        config : IndexConfig
        """
        return cls(*build_from_blocks(blocks, sample, n, config))

    def search(self, queries: np.ndarray, k: int, among: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Find the `k` nearest embeddings of each query, closest first.

        Parameters
        ----------
        queries : np.ndarray, shape (n_queries, dim), float
            Queries are normalized first, so their lengths make no difference. FAISS answers a single query on one
            thread, and several queries on all threads.
        k : int
        among : np.ndarray, shape (n_allowed,), int64, optional
            Search among these rows only. The search itself skips the others, so k rows come back if there are k.

        Returns
        -------
        scores : np.ndarray, shape (n_queries, k), float32
            Cosines.
        rows : np.ndarray, shape (n_queries, k), int64
            Positions in `ids`. Where there are fewer than k, the remaining rows are -1 and the remaining scores -inf.

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
        """Whether the index holds the embeddings themselves, or only codes."""
        return self._kept is not None

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Embeddings of `rows`, shape (n, dim), float32; decoded, and so approximate, if the index holds only codes."""
        return engine.decoded_vectors(self._index, rows) if self._kept is None else self._kept[rows]

    def check_model(self, model: str) -> None:
        """Raise `SearchError` unless this index holds embeddings of `model`."""
        if model != self.model:
            raise SearchError(f"this index is of {self.model}, the embeddings are of {model}; build the index again")

    def n_bytes(self) -> int:
        """Size of `index.faiss`, in bytes."""
        return engine.n_bytes(self._index) if self._n_bytes is None else self._n_bytes

    def save(self, folder: Path) -> dict[str, Path]:
        """Write the artifact into a folder that exists, and return its files by their names in `FILES`.

        The index goes to its file without a copy in memory, and its hash is computed from the file in blocks.
        """
        vectors, ids = (folder / name for name in self.FILES)
        engine.write(self._index, vectors)
        write_ids(ids, [self.ids], {**self._about, "sha256": sha256_of(vectors)})
        return {vectors.name: vectors, ids.name: ids}

    @classmethod
    def load(cls, vectors: Path, ids: Path, *, sha256: str | None = None) -> "SearchIndex":
        """Map the files that `save` wrote. They may be deleted or replaced afterwards: what is mapped stays.

        Parameters
        ----------
        vectors, ids : Path
            `index.faiss` and `ids.parquet`.
        sha256 : str, optional
            Hash of `vectors`, if the caller knows it, as a store does from its manifest. Without it, `load` computes
            the hash, which reads the whole file.

        Raises
        ------
        SearchError
            If the two files do not belong together, or one of them is damaged.
        """
        try:
            mapped = pa.memory_map(str(ids))
            file = pq.read_metadata(mapped)
            about = json.loads((file.metadata or {})[b"audioae"])
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise SearchError(f"{ids}: not the IDs of an index ({error}); build the index again") from None
        digest = sha256 or sha256_of(vectors)
        if digest != about["sha256"]:
            raise SearchError(
                f"{vectors} (sha256 {digest[:12]}) is not the file that {ids.name} was written with "
                f"({about['sha256'][:12]}): its rows would get wrong IDs; build the index again"
            )
        index = engine.read(vectors)
        if file.num_rows != index.ntotal:
            raise SearchError(f"{ids}: {file.num_rows} IDs for {index.ntotal} rows of {vectors}; build the index again")
        return cls(index, mapped, about, vectors.stat().st_size)


def write_ids(path: Path, blocks: Iterable[pa.StringArray], about: Mapping[str, Any]) -> None:
    """Write `ids.parquet`: the IDs in the order of the rows, and what `SearchIndex` states, with the SHA-256."""
    schema = pa.schema([("track_id", pa.string())], {"audioae": json.dumps(about, sort_keys=True)})
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:  # all IDs differ
        for ids in blocks:
            writer.write_table(pa.table([ids], schema=schema))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
