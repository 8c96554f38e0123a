"""Flow index: a FAISS index over the embeddings, published through its gate."""

from audioae.flows.artifacts import publish_artifact
from audioae.flows.common import map_groups
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow
from audioae.flows.sharded import sharded_stage


@reported_flow
def index(config_path: str, overrides: list[str] | None = None, embeddings: str | None = None) -> str:
    """Build an index over the current embeddings (or `embeddings`) and publish it if it passes its gate."""
    from audioae.pipeline.index import read_gate

    stage = sharded_stage("index", read_settings("index", config_path, overrides), embeddings=embeddings)
    map_groups(stage)
    ref = stage.commit()
    publish_artifact("index", str(ref), read_gate(stage.store, ref))
    return str(ref)
