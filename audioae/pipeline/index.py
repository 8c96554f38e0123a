"""Stage index: embeddings become a FAISS index with their IDs, published only through its gate."""

import json

from audioae.config import fingerprint
from audioae.pipeline.index_neighbors import FILE, index_neighbors_bytes, measure_index_neighbors
from audioae.search.embeddings import EmbeddingTable
from audioae.search.factory import IndexConfig
from audioae.search.gate import check_gate, measure_gate
from audioae.search.index import SearchIndex
from audioae.store.artifacts import commit_artifact, read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

CODE = 2  # raise it when the same embeddings and settings would give another index


def read_embeddings(store: Store, ref: DatasetRef) -> EmbeddingTable:
    """All embeddings of a version, with the model they came from."""
    return EmbeddingTable.from_arrow(
        store.read(ref, ["track_id", "embedding"]), str(store.manifest(ref).parent("model"))
    )


def build_index(store: Store, config: IndexConfig, embeddings: DatasetRef) -> DatasetRef:
    """Build an index over `embeddings`, measure it, and publish it if it passes its gate.

    Raises
    ------
    SearchError
        If the index misses its gate, or there is nothing to index; nothing is published then.
    """
    settings = config.model_dump(mode="json")
    recipe = fingerprint([CODE, settings, str(embeddings)])
    made = store.find("index", recipe)
    if made:
        store.set_latest(made)
        return made
    table = read_embeddings(store, embeddings)
    index = SearchIndex.build(table, config)
    gate = measure_gate(index, table, config)
    check_gate(gate, config)
    neighborhood = measure_index_neighbors(store, index, table, embeddings)
    return commit_artifact(
        store,
        "index",
        index.to_files(),
        derived={"gate.json": json.dumps(gate, indent=1).encode(), FILE: index_neighbors_bytes(neighborhood)},
        recipe=recipe,
        config=settings,
        parents=[embeddings, store.manifest(embeddings).parent("model")],
    )


def load_index(store: Store, ref: DatasetRef) -> SearchIndex:
    """Load a published index with its IDs; the files are checked against the manifest and against each other."""
    return SearchIndex.from_files({name: read_artifact(store, ref, name) for name in SearchIndex.FILES})


def read_gate(store: Store, ref: DatasetRef) -> dict:
    """What the index showed before it was published."""
    return json.loads(read_artifact(store, ref, "gate.json"))
