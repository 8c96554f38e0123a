"""Flow recommend: new tracks for every listener of a play log."""

from audioae.flows.artifacts import publish_artifact
from audioae.flows.launch import read_settings, require_section
from audioae.flows.reporting import reported_flow
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef


@reported_flow
def recommend(config_path: str, overrides: list[str] | None = None, embeddings: str | None = None) -> str:
    """Recommend new tracks to every listener of `recommend.plays`, by the current embeddings (or `embeddings`)."""
    from audioae.recommend.table import publish_recommendations

    config = read_settings("recommend", config_path, overrides)
    settings = require_section(config.recommend, "recommend", config_path)
    store = Store(config.store)
    embeddings_ref = DatasetRef.parse(embeddings) if embeddings else store.require("embeddings")
    ref = publish_recommendations(store, settings, embeddings_ref)
    publish_artifact("recommend", str(ref), {"recommendations": store.manifest(ref).rows, "by": str(embeddings_ref)})
    return str(ref)
