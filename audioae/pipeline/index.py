"""Stage index: build a FAISS index over embeddings, and publish it with its track IDs if it passes its quality gate.

The index is written to a file in the store before it is measured, and the gate measures it as it will be used: mapped
from that file.
"""

import json

from audioae.config import fingerprint
from audioae.pipeline.embeddings import read_embeddings
from audioae.pipeline.index_neighbors import FILE, index_neighbors_bytes, measure_index_neighbors
from audioae.search.factory import IndexConfig
from audioae.search.gate import check_gate, measure_gate
from audioae.search.index import SearchIndex
from audioae.store.artifacts import artifact_part, artifact_path, commit_artifact, read_artifact, staging
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

CODE = 2  # increment when the same embeddings and settings would give an index with other answers


def build_index(store: Store, config: IndexConfig, embeddings: DatasetRef) -> DatasetRef:
    """Build an index over `embeddings`, measure it, and publish it if it passes its quality gate.

    Raises
    ------
    SearchError
        If the index fails its gate, or there is nothing to index; then nothing is published.
    """
    settings = config.model_dump(mode="json")
    recipe = fingerprint([CODE, settings, str(embeddings)])
    if published := store.find("index", recipe):
        return store.make_current(published)
    table = read_embeddings(store, embeddings)
    with staging(store, "index") as folder:
        files = SearchIndex.build(table, config).save(folder)
        index = SearchIndex.load(*files.values())
        gate = measure_gate(index, table, config)
        check_gate(gate, config)
        neighbors = measure_index_neighbors(store, index, table, embeddings)
        return commit_artifact(
            store,
            "index",
            files,
            derived={"gate.json": json.dumps(gate, indent=1).encode(), FILE: index_neighbors_bytes(neighbors)},
            recipe=recipe,
            config=settings,
            parents=[embeddings, store.manifest(embeddings).parent("model")],
        )


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
