"""Flow index: a FAISS index over the embeddings, published through its gate. Run: python -m flows.index CONFIG"""

from prefect import flow

from audioae.config import load_config
from audioae.pipeline.index import build_index, read_gate
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from flows.common import main, publish_artifact


@flow(name="index", persist_result=False)
def index(config_path: str, overrides: list[str] | None = None, embeddings: str | None = None) -> str:
    """Build an index over the current embeddings (or `embeddings`) and publish it if it passes its gate."""
    config = load_config(PipelineConfig, config_path, overrides or [])
    store = Store(config.store)
    embeddings_ref = DatasetRef.parse(embeddings) if embeddings else store.require("embeddings")
    ref = build_index(store, config.index, embeddings_ref)
    publish_artifact("index", str(ref), read_gate(store, ref))
    return str(ref)


if __name__ == "__main__":
    main(index)
