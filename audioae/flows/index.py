"""Flow index: a FAISS index over the embeddings, published through its gate."""

from audioae.flows.artifacts import publish_artifact
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@reported_flow
def index(config_path: str, overrides: list[str] | None = None, embeddings: str | None = None) -> str:
    """Build an index over the current embeddings (or `embeddings`) and publish it if it passes its gate."""
    from audioae.pipeline.index import build_index, read_gate

    config = read_settings("index", config_path, overrides)
    store = Store(config.store)
    embeddings_ref = DatasetRef.parse(embeddings) if embeddings else store.require("embeddings")
    ref = build_index(store, config.index, embeddings_ref, workers=config.run.local_workers)
    publish_artifact("index", str(ref), read_gate(store, ref))
    return str(ref)
