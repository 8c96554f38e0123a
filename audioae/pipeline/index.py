"""Stage index: build a FAISS index over embeddings, and publish it with its track IDs if it passes its quality gate.

Conventions
-----------
- An index with inverted lists is trained on a sample and filled shard by shard (`index_lists.py`), on this machine or
  on a cluster; then the shards are merged (`index_commit.py`). Small catalogs are indexed in one pass.
- The index is written to a file in the store before it is measured, and the gate measures it as it will be used: mapped
  from that file.
"""

import json
from pathlib import Path

from audioae.config import fingerprint
from audioae.pipeline.config import Workers
from audioae.pipeline.embeddings import read_embeddings
from audioae.pipeline.index_commit import Merged, merge_index
from audioae.pipeline.index_lists import compute_index, pending_index, train_index
from audioae.pipeline.index_neighbors import FILE, index_neighbors_bytes, measure_index_neighbors
from audioae.search.factory import IndexConfig
from audioae.search.gate import check_gate, measure_gate
from audioae.search.index import SearchIndex
from audioae.store.artifacts import artifact_part, artifact_path, commit_artifact, read_artifact, staging
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

CODE = 2  # increment when the same embeddings and settings would give an index with other answers

ONE_MACHINE = Workers()


def build_index(
    store: Store, config: IndexConfig, embeddings: DatasetRef, *, workers: Workers = ONE_MACHINE
) -> DatasetRef:
    """Build an index over `embeddings`, measure it, and publish it if it passes its quality gate.

    Raises
    ------
    SearchError
        If the index fails its gate, or there is nothing to index; then nothing is published.
    """
    if published := find_index(store, config, embeddings):
        return published
    training = train_index(store, config, embeddings)
    if training:
        compute_index(store, embeddings, training, pending_index(store, embeddings, training))
    return commit_index(store, config, embeddings, training, workers=workers)


def find_index(store: Store, config: IndexConfig, embeddings: DatasetRef) -> DatasetRef | None:
    """The index that was built from the same embeddings with the same settings, made current; None if there is none."""
    published = store.find("index", _recipe(config, embeddings))
    return published and store.make_current(published)


def commit_index(
    store: Store,
    config: IndexConfig,
    embeddings: DatasetRef,
    training: DatasetRef | None,
    *,
    workers: Workers = ONE_MACHINE,
) -> DatasetRef:
    """Merge the lists of all shards (without a training: build the index in one pass), measure it and publish it.

    Parameters
    ----------
    training : DatasetRef or None
        From `train_index`; `compute_index` must have filled the lists of every shard.
    workers : Workers
        How tracks are decoded that may be near duplicates and whose mels are not stored.

    Raises
    ------
    SearchError
        If the index fails its gate; then nothing is published.
    StoreError
        If the lists of a shard are missing.
    """
    if published := find_index(store, config, embeddings):
        return published
    with staging(store, "index") as folder:
        before = _index_before(store, config, training) if training else None
        merged = index_files(store, config, embeddings, training, folder, before)
        check_gate(merged.gate, config)
        neighbors = measure_index_neighbors(store, merged.index, embeddings, workers, before=before)
        gate = json.dumps(merged.gate, indent=1).encode()
        made_from = [ref for ref in (training, merged.lists) if ref]
        return commit_artifact(
            store,
            "index",
            merged.files,
            derived={"gate.json": gate, FILE: index_neighbors_bytes(neighbors)},
            recipe=_recipe(config, embeddings),
            config=config.model_dump(mode="json"),
            parents=[embeddings, store.manifest(embeddings).parent("model"), *made_from],
        )


def index_files(
    store: Store,
    config: IndexConfig,
    embeddings: DatasetRef,
    training: DatasetRef | None,
    folder: Path,
    before: DatasetRef | None = None,
) -> Merged:
    """Write the index into an empty folder and measure it: what `commit_index` publishes.

    `before`: an index over fewer tracks with the same training, whose search parameters are tried first.
    """
    if training:
        first = read_gate(store, before)["parameters"] if before else None
        return merge_index(store, config, embeddings, training, folder, first)
    table = read_embeddings(store, embeddings)
    files = SearchIndex.build(table, config).save(folder)
    index = SearchIndex.load(*files.values())
    return Merged(files, index, measure_gate(index, table, config), None)


def load_index(store: Store, ref: DatasetRef) -> SearchIndex:
    """Map a published index into memory; from S3, download it once first.

    `index.faiss` must have the size and `ids.parquet` the hash that the manifest records, and the IDs must have been
    written for this `index.faiss`.
    """
    vectors, ids = SearchIndex.FILES
    sha256 = artifact_part(store, ref, vectors).sha256
    ids_path = artifact_path(store, ref, ids, verify=True)
    return SearchIndex.load(artifact_path(store, ref, vectors), ids_path, sha256=sha256)


def read_gate(store: Store, ref: DatasetRef) -> dict:
    """What the quality gate measured before the index was published."""
    return json.loads(read_artifact(store, ref, "gate.json"))


def _recipe(config: IndexConfig, embeddings: DatasetRef) -> str:
    return fingerprint([CODE, config.model_dump(mode="json"), str(embeddings)])


def _index_before(store: Store, config: IndexConfig, training: DatasetRef) -> DatasetRef | None:
    """The current index, if it has the same settings and training: what was measured for it still counts."""
    latest = store.latest("index")
    if latest is None:
        return None
    manifest = store.manifest(latest)
    same = manifest.config == config.model_dump(mode="json")
    return latest if same and manifest.parents.get("index_training") == training.version else None
