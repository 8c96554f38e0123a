"""Flow embed: one 128-d embedding per track."""

from audioae.flows.artifacts import publish_artifact, publish_drift, publish_rejects
from audioae.flows.common import map_groups
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow
from audioae.flows.sharded import sharded_stage


@reported_flow
def embed(
    config_path: str, overrides: list[str] | None = None, tracks: str | None = None, model: str | None = None
) -> str:
    """Embed the current catalog (or `tracks`) with the current model (or `model`) and publish `embeddings`."""
    stage = sharded_stage("embed", read_settings("embed", config_path, overrides), tracks=tracks, model=model)
    computed = map_groups(stage)
    ref, store = stage.commit(), stage.store
    manifest = store.manifest(ref)
    sums = {"tracks": manifest.rows, "model": stage.refs["model"], "shards computed": computed}
    publish_artifact("embed", str(ref), sums)
    publish_rejects(store, manifest.parent("rejects"))
    publish_drift(store, ref)
    return str(ref)
