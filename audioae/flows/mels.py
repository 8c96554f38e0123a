"""Flow mels: decode the catalog once into clips, evidence and rejects."""

from audioae.flows.artifacts import publish_artifact, publish_rejects
from audioae.flows.common import map_groups
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow
from audioae.flows.sharded import sharded_stage


@reported_flow
def mels(config_path: str, overrides: list[str] | None = None, tracks: str | None = None) -> str:
    """Decode the tracks of the current catalog (or of `tracks`) and publish `mels`, `health` and `rejects`."""
    stage = sharded_stage("mels", read_settings("mels", config_path, overrides), tracks=tracks)
    computed = map_groups(stage)
    ref, store = stage.commit(), stage.store
    manifest = store.manifest(ref)
    rejected = store.manifest(manifest.parent("rejects")).rows
    sums = {
        "clips": manifest.rows,
        "rejected tracks": rejected,
        "shards": len(manifest.parts),
        "computed": computed,
    }
    publish_artifact("mels", str(ref), sums)
    publish_rejects(store, manifest.parent("rejects"))
    return str(ref)
