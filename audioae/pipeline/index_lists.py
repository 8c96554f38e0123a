"""The work on an index that many machines can share: train it once, then fill its lists shard by shard.

Conventions
-----------
- Only indexes with inverted lists are made this way. Flat and HNSW, and fewer than `FEWEST` tracks, take one pass.
- A part of `index_lists` is named by the training and the part of `embeddings` that it was made from: a shard is done
  anew only when its tracks changed, and a catalog that has grown adds shards to yesterday's lists.
- A training is kept while it fits: the catalog has at most doubled or halved since, the same kind of index would be
  chosen, and the mean distance to the centers of the lists has grown to at most `DRIFT` times what it was (measured on
  a sample of the new tracks). Otherwise the index is trained again, and all lists are filled again.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.constants import EMBEDDING_DIM
from audioae.errors import DamageError
from audioae.pipeline.embeddings import COLUMNS, model_of, sample_embeddings
from audioae.pipeline.shards import part_fingerprint, shard_of
from audioae.progress import Advance
from audioae.search.build import choose, sample_size
from audioae.search.embeddings import EmbeddingTable
from audioae.search.entries import Entries, encode_entries
from audioae.search.factory import IndexConfig, n_lists, without_lists
from audioae.search.training import TrainedIndex, near_queries, train_on
from audioae.spacing import evenly_spaced
from audioae.store.artifacts import commit_artifact, read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef, Manifest, Part
from audioae.store.schemas import INDEX_LISTS

CODE = 1  # raise it when the same embeddings and settings would give other lists
FEWEST = 1_000
GROWTH = 2.0
DRIFT = 1.1
SAMPLED = 2_000  # new tracks whose distances are measured, from `SAMPLED_PARTS` parts at most
SAMPLED_PARTS = 64
NOT_TRAINED = {"min_recall", "max_p99_ms", "nprobe", "ef_search", "k_factor"}  # settings that training ignores


def needs_training(store: Store, config: IndexConfig, embeddings: DatasetRef) -> bool:
    """Whether an index over `embeddings` is trained and filled by shards, not built in one pass."""
    n = store.manifest(embeddings).rows
    return n >= FEWEST and n_lists(choose(n, EMBEDDING_DIM, config)[0]) > 0


def find_training(store: Store, config: IndexConfig, embeddings: DatasetRef) -> DatasetRef | None:
    """A training that serves an index over `embeddings`, or None."""
    factory, _ = choose(store.manifest(embeddings).rows, EMBEDDING_DIM, config)
    recipe = _recipe(config, factory, embeddings)
    return store.find("index_training", recipe) or _still_fits(store, _settings(config), factory, embeddings)


def train_index(store: Store, config: IndexConfig, embeddings: DatasetRef) -> DatasetRef | None:
    """The training for an index over `embeddings`: the current one if it fits, or else a new one.

    Returns None if the index is built in one pass.
    """
    if not needs_training(store, config, embeddings):
        return None
    if fitting := find_training(store, config, embeddings):
        return store.make_current(fitting)
    n, settings = store.manifest(embeddings).rows, _settings(config)
    factory, reason = choose(n, EMBEDDING_DIM, config)
    sample = sample_embeddings(store, embeddings, sample_size(n, EMBEDDING_DIM, config), config.seed)
    if sample is None:
        return None
    trained = train_on(sample, n, config)
    error = trained.quantization_error(trained.queries.embeddings)
    stated = {"index": settings, "factory": factory, "reason": reason, "n": n, "quantization_error": error}
    return commit_artifact(
        store,
        "index_training",
        trained.to_bytes(),
        derived={},
        recipe=_recipe(config, factory, embeddings),
        config=stated,
        parents=[embeddings, store.manifest(embeddings).parent("model")],
    )


def _settings(config: IndexConfig) -> dict:
    return config.model_dump(mode="json", exclude=NOT_TRAINED)


def _recipe(config: IndexConfig, factory: str, embeddings: DatasetRef) -> str:
    return fingerprint([CODE, _settings(config), factory, str(embeddings)])


def load_training(store: Store, training: DatasetRef) -> TrainedIndex:
    """Load a published training."""
    return TrainedIndex.from_bytes(*(read_artifact(store, training, name) for name in TrainedIndex.FILES))


def pending_index(store: Store, embeddings: DatasetRef, training: DatasetRef | None) -> list[int]:
    """The shards of `embeddings` whose lists are missing; none if the index is built in one pass."""
    if training is None:
        return []
    existing, manifest = store.part_fingerprints("index_lists"), store.manifest(embeddings)
    return [shard_of(part.name) for part in manifest.parts if _name(training, part) not in existing]


def compute_index(
    store: Store,
    embeddings: DatasetRef,
    training: DatasetRef,
    shards: Sequence[int],
    on_progress: Advance | None = None,
) -> int:
    """Fill the lists of `shards` and write their parts; returns the number of tracks."""
    trained, model, wanted = load_training(store, training), model_of(store, embeddings), set(shards)
    parts = [part for part in store.manifest(embeddings).parts if shard_of(part.name) in wanted]
    done, total = 0, sum(part.rows or 0 for part in parts)
    for part, table in zip(parts, store.read_parts("embeddings", parts, COLUMNS), strict=True):
        store.write_part(
            "index_lists", _name(training, part), lists_table(trained, EmbeddingTable.from_arrow(table, model))
        )
        done += table.num_rows
        if on_progress:
            on_progress(done, total)
    return done


def commit_lists(store: Store, embeddings: DatasetRef, training: DatasetRef) -> DatasetRef:
    """Publish the lists of all shards. Raises `StoreError` if one is missing."""
    names = [_name(training, part) for part in store.manifest(embeddings).parts]
    config = {"training": str(training)}
    recipe = fingerprint([names, config])
    return store.commit("index_lists", names, recipe=recipe, config=config, parents=[embeddings, training])


def read_entries(parts: Iterable[pa.Table]) -> Iterator[Entries]:
    """The entries in tables of `index_lists`."""
    for table in parts:
        lists = table["list"].to_numpy().astype(np.int32, copy=False)
        yield Entries(lists, *(_bytes_of(table[name]) for name in ("code", "refined")))


def _still_fits(store: Store, settings: dict, factory: str, embeddings: DatasetRef) -> DatasetRef | None:
    """The current training, if it may serve `embeddings`."""
    latest = store.latest("index_training")
    if latest is None:
        return None
    trained, manifest = store.manifest(latest), store.manifest(embeddings)
    same = trained.config["index"] == settings and trained.parents["model"] == manifest.parents["model"]
    same &= without_lists(trained.config["factory"]) == without_lists(factory)
    if not same or not 1 / GROWTH <= manifest.rows / trained.config["n"] <= GROWTH:
        return None
    return None if _has_moved(store, latest, trained, embeddings) else latest


def _has_moved(store: Store, training: DatasetRef, trained: Manifest, embeddings: DatasetRef) -> bool:
    """Whether the new tracks have raised the mean distance to the centers of the lists by more than `DRIFT`."""
    manifest, before = store.manifest(embeddings), set()
    with contextlib.suppress(DamageError):  # it was pruned: then all parts count as new
        before = {part.name for part in store.manifest(trained.parent("embeddings")).parts}
    new = [part for part in manifest.parts if part.name not in before]
    chosen = [new[place] for place in evenly_spaced(len(new), min(SAMPLED_PARTS, len(new)))]
    sample = sample_embeddings(store, embeddings, SAMPLED, seed=0, parts=chosen)
    if sample is None:
        return False
    share = sum(part.rows or 0 for part in new) / manifest.rows
    expected = trained.config["quantization_error"]
    error = load_training(store, training).quantization_error(sample.embeddings)
    return (1 - share) * expected + share * error > DRIFT * expected


def _name(training: DatasetRef, part: Part) -> str:
    return part_fingerprint(shard_of(part.name), [CODE, training.version, part.sha256])


def lists_table(trained: TrainedIndex, table: EmbeddingTable) -> pa.Table:
    """A part of `index_lists`."""
    entries = encode_entries(trained.index, table.embeddings)
    rows, queries, cosines = near_queries(trained, table)
    ends = pa.array(np.searchsorted(rows, np.arange(len(table) + 1)).astype(np.int32))
    arrays = [
        table.track_ids,
        pa.array(entries.lists),
        _binary(entries.codes),
        _binary(entries.refined),
        pa.ListArray.from_arrays(ends, pa.array(queries), type=INDEX_LISTS.field("queries").type),
        pa.ListArray.from_arrays(ends, pa.array(cosines), type=INDEX_LISTS.field("cosines").type),
    ]
    return pa.Table.from_arrays(arrays, schema=INDEX_LISTS)


def _binary(rows: np.ndarray) -> pa.Array:
    """Rows of bytes, (n, width) uint8, as an Arrow column."""
    n, width = rows.shape
    offsets = np.arange(n + 1, dtype=np.int32) * width
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(rows.tobytes())])


def _bytes_of(column: pa.ChunkedArray) -> np.ndarray:
    """A column of `_binary` as rows of bytes, (n, width) uint8."""
    if not len(column):
        return np.empty((0, 0), np.uint8)
    parts = []
    for chunk in column.chunks:
        _, offsets, data = chunk.buffers()
        offsets = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        parts.append(np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]])
    return np.concatenate(parts).reshape(len(column), -1)
