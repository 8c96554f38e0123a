"""Embeddings of a version, whole, block by block, or a uniform sample.

Conventions
-----------
- The order is that of the version: part after part (shard after shard), and row after row within a part.
- `iter_embeddings` holds a block and a few parts in memory, `sample_embeddings` the sample and a few parts;
  `read_embeddings` holds everything: 512 bytes a track and its ID.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from audioae.search.embeddings import EmbeddingTable
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Part

BLOCK = 1 << 16  # rows: 32 MiB
COLUMNS = ("track_id", "embedding")


def read_embeddings(store: Store, ref: DatasetRef) -> EmbeddingTable:
    """All embeddings of a version, with the model that made them."""
    return EmbeddingTable.from_arrow(store.read(ref, COLUMNS), model_of(store, ref))


def iter_embeddings(store: Store, ref: DatasetRef, rows: int = BLOCK) -> Iterator[EmbeddingTable]:
    """Yield the embeddings of a version in blocks of `rows` rows; only the last block may be shorter.

    An ID that occurs twice is found only within a block.
    """
    model, waiting, n_waiting = model_of(store, ref), [], 0
    for table in store.read_parts(ref.dataset, store.manifest(ref).parts, COLUMNS):
        waiting.append(table)
        n_waiting += table.num_rows
        while n_waiting >= rows:
            whole = pa.concat_tables(waiting)
            yield EmbeddingTable.from_arrow(whole.slice(0, rows), model)
            waiting, n_waiting = [whole.slice(rows)], n_waiting - rows
    if n_waiting:
        yield EmbeddingTable.from_arrow(pa.concat_tables(waiting), model)


def sample_embeddings(
    store: Store, ref: DatasetRef, n: int, seed: int, *, parts: Sequence[Part] | None = None
) -> EmbeddingTable | None:
    """A uniform sample without replacement, in random order: its first m rows are a uniform sample of m.

    Parameters
    ----------
    store : Store
    ref : DatasetRef
        A version of `embeddings`.
    n : int
        The size of the sample; all rows if there are fewer.
    seed : int
        The same version, `n` and `seed` give the same sample.
    parts : sequence of Part, optional
        Sample from these parts of the version only.

    Returns
    -------
    sample : EmbeddingTable or None
        None if there are no rows to choose from.
    """
    parts = store.manifest(ref).parts if parts is None else parts
    sizes = np.array([part.rows for part in parts], np.int64)
    if not sizes.sum():
        return None
    rng = np.random.default_rng(seed)
    counts = rng.multivariate_hypergeometric(sizes, min(n, sizes.sum()), method="marginals")
    chosen = np.flatnonzero(counts).tolist()
    tables = []
    for number, table in zip(chosen, store.read_parts(ref.dataset, [parts[i] for i in chosen], COLUMNS), strict=True):
        rows = rng.choice(sizes[number], counts[number], replace=False)
        tables.append(table.take(pa.array(np.sort(rows))))
    sample = EmbeddingTable.from_arrow(pa.concat_tables(tables), model_of(store, ref))
    return sample.take(rng.permutation(len(sample)))


def take_embeddings(store: Store, ref: DatasetRef, rows: np.ndarray) -> EmbeddingTable:
    """The embeddings of some rows of a version, ascending and each once; only the parts that hold them are read.

    Parameters
    ----------
    store : Store
    ref : DatasetRef
    rows : np.ndarray, shape (n,), int64, n at least 1
        Positions in the version.
    """
    parts = store.manifest(ref).parts
    starts = np.cumsum([0, *(part.rows or 0 for part in parts)])
    rows = np.unique(rows)
    part_of = np.searchsorted(starts, rows, side="right") - 1
    chosen, tables = np.unique(part_of).tolist(), []
    for number, table in zip(chosen, store.read_parts(ref.dataset, [parts[i] for i in chosen], COLUMNS), strict=True):
        tables.append(table.take(pa.array(rows[part_of == number] - starts[number])))
    return EmbeddingTable.from_arrow(pa.concat_tables(tables), model_of(store, ref))


def model_of(store: Store, ref: DatasetRef) -> str:
    """The model that made the embeddings, as `EmbeddingTable` names it."""
    return str(store.manifest(ref).parent("model"))
